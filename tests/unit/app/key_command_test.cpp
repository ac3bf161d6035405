// SPDX-License-Identifier: Apache-2.0
#include "app/key_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "support/temp_folder.h"

namespace brickgate::testing {
namespace {

using ::testing::HasSubstr;

std::string printed(Result<Secret> const& text) {
    return text ? text->expose([](std::string_view bytes) { return std::string(bytes); })
                : "error: " + text.error().message();
}
Result<Secret> shell(std::string const& script, Milliseconds limit = key_command_limit) {
    return run_key_command({"sh", "-c", script}, limit);
}
bool has_children() {
    return waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD;
}

TEST(KeyCommand, what_it_prints_is_the_secret) {
    EXPECT_EQ(printed(run_key_command({"printf", "%s", "rk1:a b;$HOME `id`"})),
              "rk1:a b;$HOME `id`")
        << "no shell reads the words";
    EXPECT_EQ(printed(shell("cat")), "") << "there is nothing on its standard input";
    EXPECT_FALSE(has_children());
}

TEST(KeyCommand, what_fails_is_told_with_its_own_words_but_never_what_it_printed) {
    auto const refused = shell("echo rk1:secretsecret; echo 'no such key: k7' >&2; exit 3");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::root_key_invalid);
    EXPECT_THAT(refused.error().message(), HasSubstr("exit code 3"));
    EXPECT_THAT(refused.error().detail(), HasSubstr("no such key: k7"));
    EXPECT_EQ(refused.error().detail().find("secretsecret"), std::string::npos);
    EXPECT_THAT(printed(run_key_command({"/nowhere/to/be/found"})), HasSubstr("cannot be started"));
    EXPECT_THAT(printed(shell("kill -9 $$")), HasSubstr("ended by a signal"));
    EXPECT_FALSE(has_children());
}

TEST(KeyCommand, too_much_is_refused) {
    EXPECT_EQ(printed(shell("head -c 4096 /dev/zero")).size(), 4096U);
    EXPECT_THAT(printed(shell("head -c 4097 /dev/zero")), HasSubstr("more than 4 KiB"));
    EXPECT_THAT(printed(shell("head -c 9000000 /dev/zero; head -c 9000000 /dev/zero >&2")),
                HasSubstr("more than 4 KiB"));
}

// A helper that waits for somebody to type, with a child that would go on waiting.
TEST(KeyCommand, E20_one_that_hangs_is_ended_with_all_it_started) {
    TempFolder folder;
    auto const pids = folder / "pids";
    auto const refused = shell("sleep 600 & echo $! $$ > " + pids.string() + "; wait",
                               std::chrono::milliseconds(500));
    EXPECT_THAT(printed(refused), HasSubstr("did not end in time"));
    EXPECT_FALSE(has_children()) << "no zombie";
    pid_t child = 0;
    pid_t parent = 0;
    std::ifstream(pids) >> child >> parent;
    ASSERT_GT(child, 0);
    EXPECT_EQ(kill(parent, 0), -1);
    for (int i = 0; i < 1000 && kill(child, 0) == 0; ++i) {
        std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
        std::string text{std::istreambuf_iterator<char>(stat), {}};
        if (text.find(") Z ") != std::string::npos) {
            break;  // ended; this machine's init has not looked yet
        }
        usleep(10'000);
    }
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string const text{std::istreambuf_iterator<char>(stat), {}};
    EXPECT_TRUE(text.empty() || text.find(") Z ") != std::string::npos) << text;
}

TEST(KeyCommand, one_that_closes_its_output_and_stays_is_ended_too) {
    EXPECT_THAT(printed(shell("exec >&- 2>&-; sleep 600", std::chrono::milliseconds(500))),
                HasSubstr("did not end in time"));
    EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace brickgate::testing
