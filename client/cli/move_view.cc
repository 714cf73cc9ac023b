#include "client/cli/move_view.h"

namespace decree::cli {

std::vector<std::string> MoveColumns() {
  return {"ID",  "SHARD", "FROM",  "TO",      "STAGE",    "BYTES",  "DONE",
          "ETA", "LAG",   "PAUSE", "CREATED", "FINISHED", "REASON", "ERROR"};
}

std::vector<std::string> MoveRow(const json::value& move) {
  const std::string pause = Field(move, "switch_pause_ms");
  const std::string eta = Field(move, "eta_s");
  return {Field(move, "id"),
          Field(move, "shard"),
          Field(move, "from"),
          Field(move, "to"),
          Field(move, "stage"),
          FormatBytes(Number(move, "bytes_total")),
          FormatBytes(Number(move, "bytes_done")),
          eta == "-" ? eta : eta + " s",
          Field(move, "lag"),
          pause == "-" ? pause : pause + " ms",
          FormatMoment(At(move, "created")),
          FormatMoment(At(move, "finished")),
          Field(move, "reason"),
          Field(move, "error")};
}

bool MoveEnded(const json::value& move) {
  const std::string stage = Field(move, "stage");
  return stage == "done" || stage == "rolled_back";
}

std::string MoveLine(const json::value& move) {
  const std::string from = Field(move, "from");
  std::string line = "move " + Field(move, "id") + ": shard " + Field(move, "shard") + ", " +
                     (from == "-" || from == "0" ? "new copy" : from) + " -> " + Field(move, "to") +
                     ", " + Field(move, "stage");
  if (Number(move, "bytes_total") > 0) {
    line += ", " + FormatBytes(Number(move, "bytes_done")) + " of " +
            FormatBytes(Number(move, "bytes_total"));
  }
  if (!MoveEnded(move) && Number(move, "lag") > 0) line += ", lag " + Field(move, "lag");
  if (Number(move, "switch_pause_ms") > 0) {
    line += ", paused " + Field(move, "switch_pause_ms") + " ms";
  }
  if (Field(move, "error") != "-") line += ", " + Field(move, "error");
  return line;
}

}  // namespace decree::cli
