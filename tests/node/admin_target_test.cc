#include "server/node/admin_target.h"

#include <gtest/gtest.h>

namespace decree::node {
namespace {

TEST(AdminTargetTest, CollectionItemActionAndQuery) {
  const auto target = ParseAdminTarget("/v1/admin/nodes/3:drain?from=5&limit=7");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->collection, "nodes");
  EXPECT_EQ(target->item, "3");
  EXPECT_EQ(target->action, "drain");
  EXPECT_EQ(target->query.at("from"), "5");
  EXPECT_EQ(target->query.at("limit"), "7");
}

TEST(AdminTargetTest, ACollectionAlone) {
  const auto target = ParseAdminTarget("/v1/admin/moves");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->collection, "moves");
  EXPECT_TRUE(target->item.empty());
}

TEST(AdminTargetTest, NonsenseIsNotFound) {
  for (const char* target :
       {"/v1/kv/x", "/v1/admin/", "/v1/admin/nodes/", "/v1/admin/nodes/3/disks", "/v1/admin", "",
        "/v1/admin/nodes/:drain"}) {
    EXPECT_EQ(ParseAdminTarget(target).error(), Errc::kNotFound) << target;
  }
  EXPECT_EQ(ParseAdminTarget("/v1/admin/nodes?=3").error(), Errc::kInvalidArgument);
}

TEST(AdminTargetTest, NumbersAreDecimalDigitsOnly) {
  EXPECT_EQ(ParseNumber("18446744073709551615"), UINT64_MAX);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "1.5"}) {
    EXPECT_FALSE(ParseNumber(text)) << text;
  }
}

}  // namespace
}  // namespace decree::node
