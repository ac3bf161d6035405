// SPDX-License-Identifier: Apache-2.0
#include "vault/keyring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>

#include "base/encoding.h"
#include "support/seeded_random.h"
#include "support/temp_folder.h"
#include "vault/memory_store.h"
#include "vault/record.h"
#include "vault/root_key.h"

namespace brickgate::testing {
namespace {

constexpr Time now{Seconds(1'800'000'000)};

class KeyringTest : public ::testing::Test {
 protected:
    Result<std::unique_ptr<Keyring>> open(std::vector<char> const& roots) {
        std::vector<Secret> keys;
        for (char const root : roots) {
            keys.push_back(Secret::copy_of(std::string(32, root)));
        }
        return Keyring::open(std::move(keys), store_, false, now, random_);
    }
    void refuses(ErrorCode code) {
        auto const before = store_.rows().meta;
        auto const opened = open({'r'});
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code(), code) << opened.error().message();
        EXPECT_EQ(store_.rows().meta, before) << "nothing is written at a refusal";
    }
    static std::string bytes(KeyArena::Key key) {
        return {reinterpret_cast<char const*>(key), KeyArena::key_bytes};
    }

    MemoryStore store_;
    SeededRandom random_;
};

TEST_F(KeyringTest, the_first_start_makes_a_key_for_each_purpose) {
    auto const ring = open({'r'});
    ASSERT_TRUE(ring);
    auto const token = (*ring)->active("token");
    auto const login = (*ring)->active("login");
    ASSERT_TRUE(token && login);
    EXPECT_NE(bytes(token->key), bytes(login->key));
    EXPECT_EQ((*ring)->find(token->id)->key, token->key);
    EXPECT_FALSE((*ring)->active("backup"));
    EXPECT_FALSE((*ring)->find(99));
    for (auto const& [id, row] : store_.rows().keys) {
        EXPECT_EQ(row.wrapped.find(bytes((*ring)->find(id)->key)), std::string::npos);
    }
}

TEST_F(KeyringTest, the_next_start_finds_the_same_keys) {
    auto const first = open({'r'});
    auto const second = open({'r'});
    ASSERT_TRUE(first && second);
    EXPECT_EQ(bytes((*first)->active("token")->key), bytes((*second)->active("token")->key));
    EXPECT_EQ(bytes((*first)->index_key()), bytes((*second)->index_key()));
    EXPECT_EQ(bytes((*first)->api_key()), bytes((*second)->api_key()));
    EXPECT_EQ(bytes((*first)->spool_key().key), bytes((*second)->spool_key().key));
    EXPECT_EQ(store_.rows().keys.size(), 5U);
}

TEST_F(KeyringTest, keys_for_different_uses_differ) {
    auto const ring = open({'r'});
    ASSERT_TRUE(ring);
    EXPECT_NE(bytes((*ring)->index_key()), bytes((*ring)->api_key()));
    EXPECT_NE(bytes((*ring)->spool_key().key), bytes((*ring)->api_key()));
    EXPECT_NE(bytes((*ring)->spool_key().key), std::string(32, 'r'));
}

TEST_F(KeyringTest, T75_a_wrong_root_is_named_by_its_id_and_never_shown) {
    auto const right = open({'r'});
    ASSERT_TRUE(right);
    auto const before = store_.rows().keys.at(1).wrapped;
    auto const opened = open({'w'});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::root_key_invalid);
    MemoryStore elsewhere;
    std::vector<Secret> wrong;
    wrong.push_back(Secret::copy_of(std::string(32, 'w')));
    auto const other = Keyring::open(std::move(wrong), elsewhere, false, now, random_);
    ASSERT_TRUE(other);
    EXPECT_THAT(opened.error().message(), ::testing::HasSubstr((*right)->root_id()));
    EXPECT_THAT(opened.error().message(), ::testing::HasSubstr((*other)->root_id()));
    EXPECT_THAT(opened.error().message(), ::testing::Not(::testing::HasSubstr("wwww")));
    EXPECT_EQ(store_.rows().keys.at(1).wrapped, before);
}

TEST_F(KeyringTest, a_new_root_that_leads_takes_the_ring_over) {
    auto const before = open({'o'});
    ASSERT_TRUE(before);
    EXPECT_FALSE(open({'n'})) << "the old one must be there to open what it sealed";
    auto const both = open({'n', 'o'});
    ASSERT_TRUE(both) << both.error().message();
    EXPECT_EQ((*both)->former_roots(), std::vector<std::string>{(*before)->root_id()});
    auto const alone = open({'n'});
    ASSERT_TRUE(alone) << alone.error().message();
    EXPECT_FALSE(open({'o'})) << "the old one opens nothing any more";
    for (auto const* purpose : {"token", "login", "spool", "api_mac", "index"}) {
        EXPECT_EQ(bytes((*alone)->active(purpose)->key), bytes((*before)->active(purpose)->key))
            << purpose;
    }
    EXPECT_FALSE(open({}));
}

TEST_F(KeyringTest, R8_a_ring_that_could_not_be_written_is_still_the_old_roots) {
    ASSERT_TRUE(open({'o'}));
    store_.fail_commits(1);
    EXPECT_FALSE(open({'n', 'o'}));
    EXPECT_TRUE(open({'o'}));
}

// Whoever can write the database must not be able to change the ring unnoticed.
TEST_F(KeyringTest, T79_a_changed_ring_is_refused) {
    using Harm = std::function<void(MemoryRows&)>;
    std::vector<std::pair<std::string, Harm>> const harms{
        {"two wrapped keys swapped",
         [](MemoryRows& rows) { std::swap(rows.keys.at(1).wrapped, rows.keys.at(2).wrapped); }},
        {"wrapped keys and commitments swapped",
         [](MemoryRows& rows) {
             std::swap(rows.keys.at(1).wrapped, rows.keys.at(2).wrapped);
             std::swap(rows.keys.at(1).commitment, rows.keys.at(2).commitment);
         }},
        {"a state changed", [](MemoryRows& rows) { rows.keys.at(1).state = "decrypt_only"; }},
        {"a purpose changed", [](MemoryRows& rows) { rows.keys.at(2).purpose = "token"; }},
        {"a date changed", [](MemoryRows& rows) { rows.keys.at(1).created_at += Seconds(1); }},
        {"a commitment changed", [](MemoryRows& rows) { rows.keys.at(1).commitment[0] ^= 1; }},
        {"a bit of a wrapped key flipped",
         [](MemoryRows& rows) { rows.keys.at(1).wrapped[40] ^= 1; }},
        {"a key of the attacker's",
         [](MemoryRows& rows) {
             auto own = rows.keys.at(1);
             own.id = 9;
             rows.keys[9] = own;
         }},
        {"a key removed", [](MemoryRows& rows) { rows.keys.erase(2); }},
        {"all keys removed", [](MemoryRows& rows) { rows.keys.clear(); }},
        {"the version raised", [](MemoryRows& rows) { rows.meta["ring_version"] = "2"; }},
        {"the version removed", [](MemoryRows& rows) { rows.meta.erase("ring_version"); }},
        {"the seal changed", [](MemoryRows& rows) { rows.meta["ring_mac"][0] ^= 1; }},
        {"the seal removed", [](MemoryRows& rows) { rows.meta.erase("ring_mac"); }},
    };
    ASSERT_TRUE(open({'r'}));
    auto const whole = store_.rows();
    for (auto const& [what, harm] : harms) {
        SCOPED_TRACE(what);
        store_.rows() = whole;
        harm(store_.rows());
        refuses(ErrorCode::keyring_invalid);
    }
    store_.rows() = whole;
    EXPECT_TRUE(open({'r'}));
}

// What is left when somebody can even seal a ring: a data key must be the one its row commits to.
TEST_F(KeyringTest, T79_a_key_is_the_one_that_was_committed_to) {
    ASSERT_TRUE(open({'r'}));
    auto& rows = store_.rows();
    rows.keys.at(1).commitment[0] ^= 1;
    std::string ring_key(32, '\0');
    crypto_kdf_derive_from_key(reinterpret_cast<unsigned char*>(ring_key.data()), 32, 1, "bgring__",
                               reinterpret_cast<unsigned char const*>(std::string(32, 'r').data()));
    auto const mac_of_rows = [&] {
        std::string all = std::to_string(rows.keys.size());
        for (auto const& [id, row] : rows.keys) {
            AssociatedData fields("row");
            fields.number(id).field(row.purpose).field(row.state).number(row.root_id);
            fields.field(row.wrapped).field(row.commitment);
            all += fields.number(static_cast<std::uint64_t>(to_ms(row.created_at))).bytes({});
        }
        auto const* const key = reinterpret_cast<unsigned char const*>(ring_key.data());
        return hex_encode(keyed_hash(key, {rows.meta["ring_version"], all}, 32));
    };
    rows.meta["ring_mac"] = mac_of_rows();
    refuses(ErrorCode::keyring_invalid);
    rows.keys.at(1).commitment[0] ^= 1;
    rows.meta["ring_mac"] = mac_of_rows();
    EXPECT_TRUE(open({'r'})) << "it was the commitment, and not our seal, that was refused";
}

TEST_F(KeyringTest, T79_a_destroyed_key_does_not_come_back) {
    ASSERT_TRUE(open({'r'}));
    store_.rows().keys.at(1).state = "destroyed";
    store_.rows().keys.at(1).wrapped.clear();
    refuses(ErrorCode::keyring_invalid);
}

TEST_F(KeyringTest, T79_a_ring_that_vanished_is_not_made_anew_over_connections) {
    ASSERT_TRUE(open({'r'}));
    Connection row;
    row.id = ConnectionId("con_1");
    StoreJob const job = [&](StoreTransaction& rows) { return rows.insert_connection(row); };
    ASSERT_TRUE(store_.transact_one(job));
    store_.rows().keys.clear();
    store_.rows().meta.clear();
    refuses(ErrorCode::keyring_invalid);
}

TEST(RootKeys, lines_are_read_strictly) {
    std::string const good = "rk1:" + base64_encode(std::string(32, 'a'));
    std::string const other = "rk1:" + base64_encode(std::string(32, 'b'));
    auto const count = [](std::string const& text) -> std::size_t {
        auto const keys = parse_root_keys(text);
        return keys ? keys->size() : 0;
    };
    EXPECT_EQ(count(good), 1U);
    EXPECT_EQ(count(good + "\n"), 1U);
    EXPECT_EQ(count(good + "\r\n\n" + other + "\n"), 2U);
    for (auto const& bad :
         {std::string(), std::string("\n"), good.substr(4), "rk2:" + good.substr(4),
          "rk1:" + base64_encode(std::string(31, 'a')), good + "x", good + " ", good + "\nnonsense",
          "rk1:" + base64url_encode(std::string(32, '\xFF'))}) {
        EXPECT_EQ(count(bad), 0U) << bad;
    }
    auto const refused = parse_root_keys(good + "x");
    EXPECT_EQ(refused.error().code(), ErrorCode::root_key_invalid);
    EXPECT_THAT(refused.error().message(), ::testing::Not(::testing::HasSubstr(good.substr(4))));
}

class RootKeyFileTest : public ::testing::Test {
 protected:
    void refuses(std::string_view hint) {
        auto const loaded = load_root_key_file(path_, random_);
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().code(), ErrorCode::root_key_invalid);
        EXPECT_THAT(loaded.error().message(), ::testing::HasSubstr(std::string(hint)));
    }
    TempFolder folder_;
    std::filesystem::path path_ = folder_ / "root.key";
    SeededRandom random_;
};

TEST_F(RootKeyFileTest, T80_the_first_start_makes_it_for_the_owner_alone) {
    mode_t const before = umask(0);
    auto const made = load_root_key_file(path_, random_);
    umask(before);
    ASSERT_TRUE(made);
    EXPECT_TRUE(made->made);
    struct stat about{};
    ASSERT_EQ(stat(path_.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0400U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1)
        << "no draft is left beside it";
    auto const again = load_root_key_file(path_, random_);
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->made);
    ASSERT_EQ(again->keys.size(), 1U);
    EXPECT_TRUE(again->keys[0].ct_equal(made->keys[0]));
}

TEST_F(RootKeyFileTest, T80_a_draft_of_a_crash_does_not_stand_in_the_way) {
    std::ofstream(path_.string() + ".new") << "rk1:half";
    EXPECT_TRUE(load_root_key_file(path_, random_));
}

TEST_F(RootKeyFileTest, T80_what_others_can_read_is_refused_with_the_remedy) {
    ASSERT_TRUE(load_root_key_file(path_, random_));
    for (mode_t const mode : {0440U, 0404U, 0644U, 0600U | 0010U}) {
        chmod(path_.c_str(), mode);
        refuses("chmod 400");
    }
    chmod(path_.c_str(), 0600);
    EXPECT_TRUE(load_root_key_file(path_, random_));
}

TEST_F(RootKeyFileTest, T80_links_and_things_that_are_no_files_are_refused) {
    ASSERT_TRUE(load_root_key_file(folder_ / "elsewhere.key", random_));
    std::filesystem::create_symlink(folder_ / "elsewhere.key", path_);
    refuses("symbolic link");
    std::filesystem::remove(path_);
    std::filesystem::create_hard_link(folder_ / "elsewhere.key", path_);
    refuses("one name");
    std::filesystem::remove(path_);
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    refuses("plain file");
    std::filesystem::remove(path_);
    std::filesystem::create_directory(path_);
    refuses("plain file");
    std::filesystem::remove(path_);
    std::filesystem::create_symlink(folder_ / "nowhere", path_);
    refuses("symbolic link");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "nowhere"));
}

TEST_F(RootKeyFileTest, a_file_without_a_key_is_not_overwritten) {
    std::ofstream(path_).put('\n');
    chmod(path_.c_str(), 0400);
    refuses("does not hold a root key");
    EXPECT_EQ(std::filesystem::file_size(path_), 1U);
}

TEST(KeyArenaTest, keys_lie_outside_core_dumps_and_vanish_in_a_fork) {
    KeyArena arena;
    ASSERT_TRUE(arena.open(false));
    auto const* const key = arena.add(Secret::copy_of(std::string(32, 'k')));
    EXPECT_EQ(std::string(reinterpret_cast<char const*>(key), 32), std::string(32, 'k'));
    std::ifstream maps("/proc/self/smaps");
    std::string line;
    std::string flags;
    bool ours = false;
    while (std::getline(maps, line)) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
            auto const at = reinterpret_cast<std::uintptr_t>(key);
            ours = from <= at && at < to;
        } else if (ours && line.starts_with("VmFlags:")) {
            flags = line;
        }
    }
    EXPECT_THAT(flags, ::testing::HasSubstr(" dd"));                       // not dumped
    EXPECT_THAT(flags, ::testing::HasSubstr(" wf"));                       // wiped on fork
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)  // they skip mlock
    EXPECT_EQ(arena.locked(), flags.find(" lo") != std::string::npos);
#endif
}

TEST(KeyArenaDeathTest, a_guard_page_stands_before_the_keys) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    KeyArena arena;
    ASSERT_TRUE(arena.open(false));
    auto const* volatile key = arena.add(Secret::copy_of(std::string(32, 'k')));
    EXPECT_DEATH({ [[maybe_unused]] char const volatile seen = static_cast<char>(key[-1]); }, "");
}

}  // namespace
}  // namespace brickgate::testing
