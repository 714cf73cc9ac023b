// The passes of a plan, in their order. Each adds moves to the layout's plan until `limit`.
#pragma once

#include "rebalance/layout.h"

namespace decree::rebalance {

// Lost copies are replaced and missing ones added; learners that wait for their vote are promoted.
void PlanRepairs(Layout& layout, Plan& plan, std::size_t limit);
// Nodes that are being drained are emptied.
void PlanDrains(Layout& layout, Plan& plan, std::size_t limit);
// Copies that share a zone go where they share none, or fewer.
void PlanZones(Layout& layout, Plan& plan, std::size_t limit);
// The mean rule: copies first, then bytes.
void PlanBalance(Layout& layout, Plan& plan, std::size_t limit);
// Leaders go off nodes under maintenance, to the voters on open nodes that lead least.
void PlanDepartures(Layout& layout, Plan& plan, std::size_t limit);
// Leaders, when nothing else is to do.
void PlanTransfers(Layout& layout, Plan& plan, std::size_t limit);

}  // namespace decree::rebalance
