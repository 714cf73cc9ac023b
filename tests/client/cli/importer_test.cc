#include "client/cli/importer.h"

#include <gtest/gtest.h>

namespace decree::cli {
namespace {

TEST(ImporterTest, ARecordThatFindsNoClusterAfterItsTriesEndsTheImport) {
  ClientOptions options;
  options.endpoints = {"127.0.0.1:1"};  // nobody listens there
  Result<Client> db = Client::Connect(options);
  ASSERT_TRUE(db);
  Importer importer(*db, 4, std::chrono::milliseconds(50));
  importer.Put(1, {"a", "1"});
  importer.Drain();
  EXPECT_TRUE(importer.cut_off());
  EXPECT_EQ(importer.failed(), 1u);
  EXPECT_EQ(importer.done_up_to(), 0u) << "a resumed import begins with it";
}

TEST(ImporterTest, ABadLineDoesNotEndTheImport) {
  ClientOptions options;
  options.endpoints = {"127.0.0.1:1"};
  Result<Client> db = Client::Connect(options);
  ASSERT_TRUE(db);
  Importer importer(*db, 4, std::chrono::milliseconds(50));
  importer.Reject(1, Error(Errc::kInvalidArgument, "not JSON"));
  EXPECT_FALSE(importer.cut_off());
  EXPECT_EQ(importer.failed(), 1u);
}

}  // namespace
}  // namespace decree::cli
