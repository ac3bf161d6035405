// SPDX-License-Identifier: Apache-2.0
// Who is taken for the running gateway.
#include "cli/daemon_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/temp_folder.h"

namespace brickgate::cli {
namespace {

using ::testing::HasSubstr;

// Listens in the folder as `uid`: the kernel notes who called listen().
class Listener {
 public:
    Listener(std::string const& folder, uid_t uid) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket_of(folder).copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr const*>(&address), sizeof(address)), 0);
        if (uid == geteuid()) {
            EXPECT_EQ(listen(fd_, 8), 0);
            return;
        }
        pid_t const child = fork();
        if (child == 0) {
            _exit(setuid(uid) == 0 && listen(fd_, 8) == 0 ? 0 : 1);
        }
        int status = 1;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    ~Listener() { close(fd_); }
    Listener(Listener const&) = delete;
    Listener& operator=(Listener const&) = delete;

 private:
    int fd_;
};

TEST(DaemonSocket, nobody_there_is_no_daemon_and_no_error) {
    testing::TempFolder const folder;
    EXPECT_EQ(find_daemon(folder.path()), false);
    EXPECT_FALSE(daemon_listens(folder.path()));
}

TEST(DaemonSocket, our_own_is_taken) {
    testing::TempFolder const folder;
    Listener const daemon(folder.path(), geteuid());
    EXPECT_EQ(find_daemon(folder.path()), true);
    EXPECT_TRUE(daemon_listens(folder.path()));
}

// A folder that others may write in: whoever listened there first got secrets and gave out tokens.
TEST(DaemonSocket, T80_a_stranger_who_listens_there_is_refused) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can be somebody else";
    }
    testing::TempFolder const folder;
    Listener const stranger(folder.path(), 65534);
    auto const found = find_daemon(folder.path());
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), ErrorCode::data_folder_invalid);
    EXPECT_THAT(found.error().message(), HasSubstr("Another user (uid 65534) listens"));
    EXPECT_FALSE(daemon_listens(folder.path()));
}

TEST(DaemonSocket, root_asks_the_gateway_of_another_user_in_that_users_folder) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can be somebody else";
    }
    testing::TempFolder const folder;
    Listener const daemon(folder.path(), 65534);
    ASSERT_EQ(chown(folder.path().c_str(), 65534, 65534), 0);
    EXPECT_TRUE(daemon_listens(folder.path()));
}

}  // namespace
}  // namespace brickgate::cli
