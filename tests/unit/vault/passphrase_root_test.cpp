// SPDX-License-Identifier: Apache-2.0
#include "vault/passphrase_root.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/seeded_random.h"
#include "support/temp_folder.h"

namespace brickgate::testing {
namespace {

constexpr PassphraseCost cheap{1, std::size_t{8} * 1024 * 1024};

class PassphraseRootTest : public ::testing::Test {
 protected:
    Result<Secret> derive(std::string const& words) {
        return root_from_passphrase(file_, Secret::copy_of(words), random_, cheap);
    }
    std::string text() {
        std::ifstream in(file_);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(std::string const& text) {
        std::ofstream(file_, std::ios::trunc) << text;
        std::filesystem::permissions(
            file_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    }
    TempFolder folder_;
    std::filesystem::path file_ = folder_ / "root.argon2id";
    SeededRandom random_;
};

TEST_F(PassphraseRootTest, the_same_words_give_the_same_key_at_every_start) {
    auto const first = derive("correct horse battery");
    auto const again = derive("correct horse battery");
    ASSERT_TRUE(first && again);
    EXPECT_EQ(first->size(), 32U);
    EXPECT_TRUE(first->ct_equal(*again));
    EXPECT_FALSE(first->ct_equal(*derive("correct horse batterz")));
    EXPECT_THAT(text(), ::testing::StartsWith("argon2id13 1 8388608 "));
    EXPECT_EQ(text().find("horse"), std::string::npos);
}

TEST_F(PassphraseRootTest, the_files_own_cost_counts_and_another_salt_is_another_key) {
    auto const first = derive("correct horse battery");
    auto const was = text();
    auto const dearer =
        root_from_passphrase(file_, Secret::copy_of("correct horse battery"), random_, {2, 8192});
    EXPECT_TRUE(first->ct_equal(*dearer)) << "a new default does not lock anybody out";
    std::filesystem::remove(file_);
    EXPECT_FALSE(first->ct_equal(*derive("correct horse battery")));
    write(was);
    EXPECT_TRUE(first->ct_equal(*derive("correct horse battery")));
}

TEST_F(PassphraseRootTest, nonsense_and_short_words_are_refused) {
    EXPECT_FALSE(derive("short"));
    EXPECT_FALSE(std::filesystem::exists(file_)) << "nothing is made for them";
    for (auto const* const bad :
         {"", "argon2i 1 8388608 AAAAAAAAAAAAAAAAAAAAAA==", "argon2id13 1 8388608 AAAA",
          "argon2id13 1 99999999999999 AAAAAAAAAAAAAAAAAAAAAA==",
          "argon2id13 9999 8388608 AAAAAAAAAAAAAAAAAAAAAA=="}) {
        write(bad);
        auto const refused = derive("correct horse battery");
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().code(), ErrorCode::root_key_invalid);
    }
}

}  // namespace
}  // namespace brickgate::testing
