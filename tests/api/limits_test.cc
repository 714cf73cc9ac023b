// The limits of kv/api/limits.h: each field at its limit and one byte above.
#include "kv/api/limits.h"

#include <gtest/gtest.h>

namespace decree {
namespace {

Errc CodeOf(const Status& status) { return status ? Errc::kOk : status.error().code(); }

Command Largest(CommandKind kind) {
  Command command;
  command.kind = kind;
  command.key.assign(kMaxKeyBytes, 'k');
  command.value.assign(kMaxValueBytes, 'v');
  command.condition = {ConditionKind::kValueIs, UINT64_MAX, std::string(kMaxValueBytes, 'e')};
  command.session = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
  command.ttl_ms = kMaxTtlMs;
  return command;
}

constexpr CommandKind kAllKinds[] = {CommandKind::kPut, CommandKind::kDelete,
                                     CommandKind::kOpenSession, CommandKind::kMark,
                                     CommandKind::kPlacement};

TEST(LimitsTest, EveryFieldOfEveryKindOfCommandIsBounded) {
  for (const CommandKind kind : kAllKinds) {
    const Command largest = Largest(kind);
    EXPECT_EQ(CodeOf(CheckLimits(largest)), Errc::kOk);
    EXPECT_LE(Encode(largest).size(), SizeBound(largest));
    EXPECT_EQ(SizeBound(largest), kMaxCommandBytes);
    for (std::string Command::*field : {&Command::key, &Command::value}) {
      Command over = largest;
      (over.*field).push_back('x');
      EXPECT_EQ(CodeOf(CheckLimits(over)), Errc::kTooLarge);
    }
    Command over = largest;
    over.condition.value.push_back('x');
    EXPECT_EQ(CodeOf(CheckLimits(over)), Errc::kTooLarge);
    over = largest;
    ++over.ttl_ms;
    EXPECT_EQ(CodeOf(CheckLimits(over)), Errc::kInvalidArgument);
  }
}

TEST(LimitsTest, OnlyACommandOnAKeyNeedsOne) {
  for (const CommandKind kind : kAllKinds) {
    Command command;
    command.kind = kind;
    const bool named = kind == CommandKind::kPut || kind == CommandKind::kDelete;
    EXPECT_EQ(CodeOf(CheckLimits(command)), named ? Errc::kInvalidArgument : Errc::kOk);
  }
}

TEST(LimitsTest, ReadsAndScansAreBoundedByTheLongestKey) {
  const std::string longest(kMaxKeyBytes, 'k');
  EXPECT_EQ(CodeOf(CheckLimits(ReadRequest{longest})), Errc::kOk);
  EXPECT_EQ(CodeOf(CheckLimits(ReadRequest{longest + "k"})), Errc::kTooLarge);
  EXPECT_EQ(CodeOf(CheckLimits(ReadRequest{""})), Errc::kInvalidArgument);
  EXPECT_EQ(CodeOf(CheckLimits(ScanRequest{longest, longest})), Errc::kOk);
  EXPECT_EQ(CodeOf(CheckLimits(ScanRequest{longest + "k", ""})), Errc::kTooLarge);
  EXPECT_EQ(CodeOf(CheckLimits(ScanRequest{"", longest + "k"})), Errc::kTooLarge);
}

}  // namespace
}  // namespace decree
