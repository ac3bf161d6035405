// SPDX-License-Identifier: Apache-2.0
#include "vault/data_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "support/seeded_random.h"
#include "support/temp_folder.h"

namespace brickgate::testing {
namespace {

class DataFolderTest : public ::testing::Test {
 protected:
    void refuses(std::filesystem::path const& path, std::string const& hint) {
        auto const opened = DataFolder::open(path, random_);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code(), ErrorCode::data_folder_invalid);
        EXPECT_THAT(opened.error().message(), ::testing::HasSubstr(hint));
        EXPECT_THAT(opened.error().message(), ::testing::HasSubstr(path.string()));
    }
    TempFolder folder_;
    SeededRandom random_;
};

TEST_F(DataFolderTest, T80_it_is_made_for_the_owner_alone) {
    mode_t const before = umask(0);
    auto const opened = DataFolder::open(folder_ / "deep/data", random_);
    umask(before);
    ASSERT_TRUE(opened) << opened.error().message();
    struct stat about{};
    ASSERT_EQ(stat((folder_ / "deep/data").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0700U);
    for (auto const* name : {"lock", "node"}) {
        ASSERT_EQ(stat((folder_ / "deep/data" / name).c_str(), &about), 0);
        EXPECT_EQ(about.st_mode & 07777, 0600U) << name;
    }
}

TEST_F(DataFolderTest, T80_one_that_others_can_enter_is_refused_with_the_remedy) {
    auto const path = folder_ / "data";
    std::filesystem::create_directory(path);
    for (mode_t const mode : {0755U, 0750U, 0701U, 0770U}) {
        chmod(path.c_str(), mode);
        refuses(path, "chmod 700");
    }
    chmod(path.c_str(), 0700);
    EXPECT_TRUE(DataFolder::open(path, random_));
}

TEST_F(DataFolderTest, T80_links_and_files_are_refused) {
    std::filesystem::create_directory(folder_ / "real");
    chmod((folder_ / "real").c_str(), 0700);
    std::filesystem::create_symlink(folder_ / "real", folder_ / "link");
    refuses(folder_ / "link", "not a folder");
    std::ofstream(folder_ / "file") << "x";
    refuses(folder_ / "file", "not a folder");
    std::filesystem::create_symlink(folder_ / "file", folder_ / "real/lock");
    auto const opened = DataFolder::open(folder_ / "real", random_);
    ASSERT_FALSE(opened) << "a planted lock is not followed";
    std::filesystem::remove(folder_ / "real/lock");
    std::filesystem::create_symlink(folder_ / "file", folder_ / "real/node");
    EXPECT_FALSE(DataFolder::open(folder_ / "real", random_));
    EXPECT_EQ(std::filesystem::file_size(folder_ / "file"), 1U) << "nothing was written through";
}

TEST_F(DataFolderTest, a_link_above_it_is_resolved_once) {
    std::filesystem::create_directory(folder_ / "disk2");
    std::filesystem::create_symlink(folder_ / "disk2", folder_ / "home");
    auto const opened = DataFolder::open(folder_ / "home/data/", random_);
    ASSERT_TRUE(opened);
    EXPECT_EQ((*opened)->path(), folder_ / "disk2/data");
}

TEST_F(DataFolderTest, the_node_stays_and_the_boot_changes) {
    auto first = DataFolder::open(folder_ / "data", random_);
    ASSERT_TRUE(first);
    auto const node = (*first)->node();
    auto const boot = (*first)->boot();
    EXPECT_THAT(node, ::testing::StartsWith("node_"));
    first->reset();
    auto const second = DataFolder::open(folder_ / "data", random_);
    ASSERT_TRUE(second);
    EXPECT_EQ((*second)->node(), node);
    EXPECT_NE((*second)->boot(), boot);
}

TEST_F(DataFolderTest, T70_a_second_process_is_told_who_has_it) {
    auto first = DataFolder::open(folder_ / "data", random_);
    ASSERT_TRUE(first);
    auto const second = DataFolder::open(folder_ / "data", random_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::in_use);
    EXPECT_THAT(second.error().message(),
                ::testing::HasSubstr("process " + std::to_string(getpid())));
    first->reset();
    EXPECT_TRUE(DataFolder::open(folder_ / "data", random_));
}

TEST_F(DataFolderTest, T70_a_killed_process_leaves_it_free) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    pid_t const child = fork();
    if (child == 0) {
        auto const held = DataFolder::open(folder_ / "data", random_);
        char const answer = held ? 'y' : 'n';
        (void)!write(ready[1], &answer, 1);
        pause();
        _exit(0);
    }
    char answer = 0;
    EXPECT_EQ(read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    auto const refused = DataFolder::open(folder_ / "data", random_);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), ::testing::HasSubstr(std::to_string(child)));
    EXPECT_TRUE(DataFolder::open(folder_ / "data", random_));
    close(ready[0]);
    close(ready[1]);
}

TEST_F(DataFolderTest, no_name_is_no_folder) {
    auto const opened = DataFolder::open("", random_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::data_folder_invalid);
}

}  // namespace
}  // namespace brickgate::testing
