// Libraries take a log callback; only the daemons bring a logger.
#pragma once

#include "decree/log.h"
