// SPDX-License-Identifier: Apache-2.0
#include "cli/private_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/tokens.h"
#include "support/temp_folder.h"

namespace brickgate::cli {
namespace {

std::string read(std::filesystem::path const& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(PrivateFile, is_whole_and_its_owners_alone) {
    testing::TempFolder const folder;
    auto const file = folder.path() / "token";
    ASSERT_TRUE(replace_private_file(file.string(), "first\n"));
    struct stat before{};
    ASSERT_EQ(stat(file.c_str(), &before), 0);
    EXPECT_EQ(before.st_mode & 0777U, 0600U);
    // Whoever has the old one open reads the old one.
    std::ifstream open(file, std::ios::binary);
    ASSERT_TRUE(replace_private_file(file.string(), "second\n"));
    std::string old;
    std::getline(open, old);
    EXPECT_EQ(old, "first");
    EXPECT_EQ(read(file), "second\n");
    struct stat after{};
    stat(file.c_str(), &after);
    EXPECT_NE(before.st_ino, after.st_ino);
    EXPECT_EQ(after.st_mode & 0777U, 0600U);
    std::size_t files = 0;
    for (auto const& entry : std::filesystem::directory_iterator(folder.path())) {
        files += entry.exists() ? 1 : 0;
    }
    EXPECT_EQ(files, 1U) << "no draft is left";
}

TEST(PrivateFile, a_wide_file_becomes_private_and_a_link_is_replaced) {
    testing::TempFolder const folder;
    auto const file = folder.path() / "token";
    auto const target = folder.path() / "target";
    std::ofstream(target) << "untouched";
    chmod(target.c_str(), 0644);
    std::filesystem::create_symlink(target, file);
    ASSERT_TRUE(replace_private_file(file.string(), "x"));
    EXPECT_FALSE(std::filesystem::is_symlink(file));
    EXPECT_EQ(read(target), "untouched");
    ASSERT_TRUE(replace_private_file(target.string(), "y"));
    struct stat about{};
    stat(target.c_str(), &about);
    EXPECT_EQ(about.st_mode & 0777U, 0600U);
}

TEST(PrivateFile, what_cannot_be_written_is_said_and_leaves_nothing) {
    testing::TempFolder const folder;
    auto const nowhere = replace_private_file((folder.path() / "no" / "token").string(), "x");
    ASSERT_FALSE(nowhere);
    EXPECT_NE(nowhere.error().find("No such file"), std::string::npos) << nowhere.error();
    auto const a_folder = replace_private_file(folder.path().string(), "x");
    ASSERT_FALSE(a_folder);
    EXPECT_NE(a_folder.error().find("is not a file"), std::string::npos);
    EXPECT_FALSE(replace_private_file("/dev/null", "x")) << "never a device";
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(TokenFile, has_three_forms) {
    json::object token{{"access_token", "eyJ.a-b_c"},
                       {"token_type", "Bearer"},
                       {"expires_at", "2026-08-22T12:05:06Z"},
                       {"workspace", "https://x.cloud.databricks.com"}};
    EXPECT_EQ(token_file_text(token, "text").value(), "eyJ.a-b_c\n");
    EXPECT_EQ(token_file_text(token, "env").value(),
              "DATABRICKS_HOST=https://x.cloud.databricks.com\nDATABRICKS_TOKEN=eyJ.a-b_c\n");
    auto const document = token_file_text(token, "json").value();
    EXPECT_EQ(document, token_document(token));
    EXPECT_TRUE(
        document.starts_with("{\n  \"access_token\": \"eyJ.a-b_c\",\n  \"token_type\": "
                             "\"Bearer\",\n  \"expiry\": \"2026-08-22T"))
        << document;
    for (char const* odd : {"", "a b", "a\nDATABRICKS_HOST=evil", "$(x)", "'"}) {
        token["access_token"] = odd;
        EXPECT_FALSE(token_file_text(token, "text")) << odd;
        EXPECT_FALSE(token_file_text(token, "env")) << odd;
    }
}

}  // namespace
}  // namespace brickgate::cli
