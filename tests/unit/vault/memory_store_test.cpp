// SPDX-License-Identifier: Apache-2.0
#include "vault/memory_store.h"

#include "unit/vault/store_conformance.h"

namespace brickgate::testing {
namespace {

class MemoryBackend {
 public:
    Store& store() { return store_; }
    void reopen() {}
    void put_lease(ConnectionId const& id, std::string const& node, Time until) {
        store_.rows().connections.at(id.value()).lease = {node, 0, until};
    }
    void put_intent(ConnectionId const& id, std::string const& node, std::uint64_t generation) {
        store_.rows().connections.at(id.value()).intent =
            Intent{node, "boot", "before", generation, now - Seconds(90), 1};
    }

 private:
    MemoryStore store_;
};

BRICKGATE_STORE_CONFORMANCE(MemoryBackend);

TEST(MemoryStore, a_failed_commit_keeps_nothing) {
    MemoryStore store;
    store.fail_commits(1);
    StoreJob const job = [](StoreTransaction& rows) { return rows.insert_connection(sample()); };
    auto const lost = store.transact_one(job);
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code(), ErrorCode::store_unavailable);
    EXPECT_TRUE(store.rows().connections.empty());
    EXPECT_TRUE(store.transact_one(job));
}

}  // namespace
}  // namespace brickgate::testing
