// The one translation unit that holds the code of Asio and Beast.

// Beast 1.81 asserts that the last chunk of a body is at least five bytes long whenever it is
// looked at again. A body whose first chunk is its last has four when its bytes come one by one;
// what follows the assertion is right for them. Without NDEBUG any client could end the process so.
#define BOOST_DISABLE_ASSERTS

#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
