// SPDX-License-Identifier: Apache-2.0
// A connection that was deleted leaves nothing that opens, not even for somebody who has the root
// key: every file of the folder is searched for records, and each is tried with every key and in
// every place that the connection ever had.
#include <fstream>

#include "support/temp_folder.h"
#include "unit/vault/vault_world.h"
#include "vault/spool.h"
#include "vault/spool_format.h"
#include "vault/sqlite_store.h"

namespace brickgate::testing {
namespace {

class NothingLeft : public ::testing::Test {
 protected:
    NothingLeft() {
        store_ = open_sqlite_store(folder_ / "brickgate.db").value();
        keyring_ = open_keyring(*store_, random_);
        envelope_ = std::make_unique<Envelope>(*keyring_, random_);
        runner_ = std::make_unique<InlineStoreRunner>(*store_);
        vault_ = std::make_unique<Vault>(*runner_, *envelope_, clock_, random_);
        spool_ = open_spool({folder_ / "spool", "node_a", 512 * 1024}, *keyring_, random_).value();
    }
    static std::string canary(int generation) {
        // As long as tokens are, but for a record in one page: it is searched for in one piece.
        return "doau-canary-" + std::to_string(generation) + std::string(400, 'x');
    }
    NewTokens fresh(int generation) {
        NewTokens out;
        out.received_at = clock_.now();
        out.tokens = tokens("access-" + canary(generation), "refresh-" + canary(generation),
                            clock_.now() + Seconds(3600));
        out.refresh_due_at = clock_.now();
        return out;
    }
    // As a refresh does it: claim, spool, save, note.
    void refresh(ConnectionId const& id, int generation) {
        auto const row = run_task(vault_->find(id)).value().value();
        auto const attempt = "try" + std::to_string(generation);
        auto claimed = run_task(vault_->claim({id, row.family, row.generation, "node_a", "boot",
                                               attempt, clock_.now(), Seconds(60)}));
        ASSERT_TRUE(claimed && *claimed);
        auto room = spool_->reserve().value();
        SpoolIdentity const identity{SpoolKind::refresh, id.value(), row.family, row.generation,
                                     attempt};
        places_.push_back(spool::place_of("node_a", identity, clock_.now()));
        auto const kept =
            run_task(spool_->append(std::move(room), identity, clock_.now(),
                                    Secret::copy_of("refresh-" + canary(generation))));
        ASSERT_TRUE(kept);
        ASSERT_TRUE(run_task(vault_->save((*claimed)->row, attempt, fresh(generation),
                                          &(*claimed)->refresh_token, {})));
        spool_->committed(*kept, clock_.now());
    }
    std::string every_byte() {
        std::string all;
        for (auto const& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
            if (entry.is_regular_file()) {
                std::ifstream in(entry.path(), std::ios::binary);
                all.append(std::istreambuf_iterator<char>(in), {});
            }
        }
        return all;
    }
    // Of its tokens as they stand now; what comes later has others.
    void know_places_of(ConnectionId const& id) {
        auto const row = run_task(vault_->find(id)).value().value();
        places_.push_back(associated_data(identity_of(row, "cur_access", row.generation)));
        places_.push_back(associated_data(identity_of(row, "cur_refresh", row.generation)));
    }
    // How many records in the files open. A record's length is not written beside it.
    std::size_t records_that_open() {
        auto const all = every_byte();
        std::size_t count = 0;
        for (auto const& key : keyring_->rows()) {
            std::string header("\x01\x01\0\0\0", 5);
            header += static_cast<char>(key.id);
            for (auto at = all.find(header); at != std::string::npos;
                 at = all.find(header, at + 1)) {
                count += opens(std::string_view(all).substr(at), key.id) ? 1 : 0;
            }
        }
        return count;
    }
    bool opens(std::string_view rest, std::uint32_t id) {
        auto const key = keyring_->find(id)->key;
        for (std::size_t size = record_overhead + 64; size <= 1024 && size <= rest.size();
             size += 64) {
            for (auto const kind : {SealedKind::access_token, SealedKind::refresh_token,
                                    SealedKind::spool_response}) {
                for (auto const& place : places_) {
                    if (open_record(kind, rest.substr(0, size), key, place)) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    TempFolder folder_;
    ManualClock clock_;
    SeededRandom random_;
    std::vector<AssociatedData> places_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Keyring> keyring_;
    std::unique_ptr<Envelope> envelope_;
    std::unique_ptr<InlineStoreRunner> runner_;
    std::unique_ptr<Vault> vault_;
    std::unique_ptr<Spool> spool_;
};

TEST_F(NothingLeft, T73_a_deleted_connection_leaves_nothing_that_opens) {
    // Neighbours, so that what is freed is not overwritten by chance.
    for (auto const* const subject : {"1", "2", "3", "4"}) {
        Connection neighbour;
        neighbour.subject = subject;
        NewTokens theirs;
        theirs.tokens = tokens(std::string(400, 'a'), std::string(400, 'b'), clock_.now());
        ASSERT_TRUE(run_task(vault_->connect(neighbour, std::move(theirs), {})));
    }
    Connection wanted;
    wanted.registration = RegistrationId("reg_" + std::string(32, 'a'));
    wanted.issuer = Issuer("https://ws.example/oidc");
    wanted.workspace = "https://ws.example";
    wanted.principal = {"sub", "ada@example.com", "Ada"};
    auto const row = run_task(vault_->connect(wanted, fresh(1), {})).value();
    know_places_of(row.id);
    for (int generation = 2; generation < 5; ++generation) {
        refresh(row.id, generation);
        know_places_of(row.id);
        clock_.pass(Seconds(5));
    }
    EXPECT_GT(records_that_open(), 4U) << "the search finds what is there";

    ASSERT_TRUE(run_task(vault_->disconnect(row.id, {})).value());
    spool_->trim(clock_.now());
    EXPECT_EQ(records_that_open(), 3U) << "the spool has its answers for a quarter of an hour";
    clock_.pass(std::chrono::minutes(15));
    spool_->trim(clock_.now());
    EXPECT_EQ(records_that_open(), 0U);
    EXPECT_EQ(every_byte().find("canary"), std::string::npos);
}

}  // namespace
}  // namespace brickgate::testing
