#include "kv/store/state_machine.h"

#include <algorithm>
#include <utility>

#include "kv/store/kv_apply.h"
#include "kv/store/kv_rows.h"
#include "kv/store/sessions.h"

namespace decree::store {
namespace {

constexpr std::size_t kScanPageBytes = std::size_t{4} << 20;  // a page fits into a frame with room
constexpr std::uint32_t kScanPageRows = 10'000;

Result<std::optional<MachineFacts>> ParseFacts(Result<std::optional<std::string>> row) {
  if (!row) return row.error();
  if (!*row) return std::optional<MachineFacts>();
  const std::string_view bytes = **row;
  if (bytes.empty() || bytes.front() != kRowFormat) {
    return Error(Errc::kCorruption, "the facts row has an unknown format");
  }
  Result<MachineFacts> facts = Decode<MachineFacts>(bytes.substr(1));
  if (!facts) return facts.error();
  return std::optional(std::move(*facts));
}

// The earliest expiry row, kNoExpiry if there is none.
Result<WallMs> FirstExpiry(const RowView& view) {
  const std::unique_ptr<RowCursor> cursor = view.NewCursor();
  cursor->Seek("e");
  if (!cursor->status()) return cursor->status().error();
  if (!cursor->Valid() || !cursor->key().starts_with('e')) return kNoExpiry;
  const Result<ExpiryRow> row = ParseExpiryRow(cursor->key(), cursor->value());
  if (!row) return row.error();
  return row->expires_at_ms;
}

}  // namespace

struct KvMachine::Impl {
  Engine& engine;
  consensus::Config genesis;
  MachineFacts facts;
  SessionTable sessions;
  WallMs key_expiry = kNoExpiry;
  bool behind = false;  // a batch could not be written: what is in memory ran ahead of the rows

  Status Load();
};

Status KvMachine::Impl::Load() {
  const std::unique_ptr<RowView> view = engine.View();
  Result<std::optional<MachineFacts>> stored = ReadFacts(*view);
  if (!stored) return stored.error();
  const Result<WallMs> expiry = FirstExpiry(*view);
  if (!expiry) return expiry.error();
  if (const Status loaded = sessions.Load(*view); !loaded) return loaded;
  facts = MachineFacts{};
  facts.config = genesis;
  if (*stored) facts = std::move(**stored);
  key_expiry = *expiry;
  behind = false;
  return {};
}

KvMachine::KvMachine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KvMachine::~KvMachine() = default;

Result<std::unique_ptr<KvMachine>> KvMachine::Open(Engine& engine,
                                                   const consensus::Config& genesis) {
  return OpenWith(SessionLimits{}, engine, genesis);
}

Result<std::unique_ptr<KvMachine>> KvMachine::OpenWith(const SessionLimits& sessions,
                                                       Engine& engine,
                                                       const consensus::Config& genesis) {
  auto impl =
      std::make_unique<Impl>(Impl{engine, genesis, {}, SessionTable(sessions), kNoExpiry, false});
  if (const Status loaded = impl->Load(); !loaded) return loaded.error();
  return std::unique_ptr<KvMachine>(new KvMachine(std::move(impl)));
}

Result<std::vector<AppliedSlot>> KvMachine::Apply(
    const std::vector<consensus::ChosenDecree>& decrees) {
  if (impl_->behind) {
    if (const Status loaded = impl_->Load(); !loaded) return loaded.error();
  }
  std::vector<AppliedSlot> applied;
  if (decrees.empty()) return applied;
  applied.reserve(decrees.size());
  impl_->behind = true;  // until the batch is written
  KvApply apply(impl_->engine, impl_->facts, impl_->sessions, impl_->key_expiry);
  for (const consensus::ChosenDecree& decree : decrees) {
    Result<AppliedSlot> slot = apply.ApplyDecree(decree);
    if (!slot) return slot.error();
    applied.push_back(std::move(*slot));
  }
  const Status written = impl_->engine.Write(apply.TakeBatch());
  if (!written) return written.error();
  impl_->facts = apply.facts();
  impl_->key_expiry = apply.key_expiry();
  impl_->behind = false;
  return applied;
}

const MachineFacts& KvMachine::facts() const { return impl_->facts; }

Result<ReadResult> KvMachine::Read(const ReadRequest& request) const {
  const Result<std::optional<std::string>> bytes = impl_->engine.Get(DataKey(request.key));
  if (!bytes) return bytes.error();
  if (!*bytes) return Errc::kNotFound;
  const Result<DataRow> row = ParseDataValue(**bytes);
  if (!row) return row.error();
  if (HasExpired(row->expires_at_ms, impl_->facts.time_ms)) return Errc::kNotFound;
  return ReadResult{std::string(row->value), row->version, row->expires_at_ms};
}

Result<ScanResult> KvMachine::Scan(const ScanRequest& request) const {
  const std::string prefix = DataKey(request.prefix);
  const std::string after = DataKey(request.after);
  const std::size_t limit = std::clamp<std::uint32_t>(request.limit, 1, kScanPageRows);
  const std::unique_ptr<RowView> view = impl_->engine.View();
  const std::unique_ptr<RowCursor> cursor = view->NewCursor();
  ScanResult page;
  std::size_t bytes = 0;
  for (cursor->Seek(std::max(prefix, after)); cursor->Valid(); cursor->Next()) {
    if (!cursor->key().starts_with(prefix)) break;
    if (!request.after.empty() && cursor->key() == after) continue;
    const Result<DataRow> row = ParseDataValue(cursor->value());
    if (!row) return row.error();
    if (HasExpired(row->expires_at_ms, impl_->facts.time_ms)) continue;
    if (page.rows.size() == limit || bytes >= kScanPageBytes) return page;
    bytes += cursor->key().size() + row->value.size();
    page.rows.push_back(
        {std::string(cursor->key().substr(1)), std::string(row->value), row->version});
  }
  if (!cursor->status()) return cursor->status().error();
  page.complete = true;
  return page;
}

WallMs KvMachine::NextExpiry() const {
  const WallMs sessions = impl_->sessions.NextExpiry();
  const WallMs keys = impl_->key_expiry == kNoExpiry ? 0 : impl_->key_expiry;
  if (sessions == 0 || keys == 0) return std::max(sessions, keys);
  return std::min(sessions, keys);
}

// Skims the batch (the fields of Command in their order) without copying keys and values.
bool HoldsMark(const consensus::Decree& decree) {
  if (decree.kind != consensus::DecreeKind::kCommandBatch) return false;
  Reader reader(View(decree.payload));
  reader.Varint();  // time_ms
  bool found = false;
  for (std::size_t left = reader.Count(); left > 0 && reader.ok(); --left) {
    found |= reader.Varint() == static_cast<std::uint64_t>(CommandKind::kMark);
    for (int i = 0; i < 4; ++i) reader.Varint();  // session
    for (int i = 0; i < 2; ++i) reader.Sized();   // key, value
    for (int i = 0; i < 2; ++i) reader.Varint();  // condition: kind, version
    reader.Sized();                               // condition: value
    reader.Varint();                              // ttl_ms
  }
  return found && reader.done();
}

Result<std::optional<MachineFacts>> ReadFacts(const RowView& view) {
  return ParseFacts(view.Get(kFactsKey));
}

Result<std::optional<MachineFacts>> ReadFacts(const Engine& engine) {
  return ParseFacts(engine.Get(kFactsKey));
}

RowWrite FactsRow(const MachineFacts& facts) {
  return {std::string(kFactsKey), kRowFormat + Encode(facts)};
}

}  // namespace decree::store
