// SPDX-License-Identifier: Apache-2.0
// bench_fill FOLDER COUNT TOKEN_BYTES [ORIGIN]: a data folder with COUNT connections to a
// workspace, whose access tokens live for a day, written through the vault as sign-ins write them.
// Prints their ids, a line each.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <iostream>

#include "net/system_ports.h"
#include "vault/data_folder.h"
#include "vault/envelope.h"
#include "vault/keyring.h"
#include "vault/root_key.h"
#include "vault/sqlite_store.h"
#include "vault/store_runner.h"
#include "vault/vault.h"

namespace {

using namespace brickgate;

constexpr std::size_t at_once = 256;  // sign-ins in flight: what shares one commit

Connection signed_in(std::size_t number, std::string const& origin) {
    Connection row;
    row.registration = RegistrationId("reg_" + std::string(32, '0'));
    row.subject = fmt::format("user-{}", number);
    row.issuer = Issuer(origin + "/oidc");
    row.workspace = origin;
    row.token_endpoint = origin + "/oidc/v1/token";
    row.principal = {fmt::format("{}", number), fmt::format("user-{}@example.com", number),
                     "A person"};
    row.scopes = Scopes{"all-apis", "offline_access", "openid", "profile", "email"};
    return row;
}

NewTokens tokens(Time now, std::size_t size, Random& random) {
    NewTokens out;
    out.received_at = now;
    out.tokens.access = AccessToken(Secret::copy_of(random.token(size * 3 / 4)));
    out.tokens.refresh = RefreshToken(Secret::copy_of(random.token(48)));
    out.tokens.expires_at = now + std::chrono::hours(24);
    out.refresh_due_at = now + std::chrono::hours(23);
    return out;
}

int fill(std::filesystem::path const& path, std::size_t count, std::size_t size,
         std::string const& origin) {
    SystemClock clock;
    SystemRandom random;
    auto folder = DataFolder::open(path, random);
    auto roots = load_root_key_file(path / "root.key", random);
    auto store = open_sqlite_store(path / "brickgate.db");
    if (!folder || !roots || !store) {
        std::cerr << "bench_fill: the folder cannot be made\n";
        return 1;
    }
    auto keyring = Keyring::open(std::move(roots->keys), **store, false, clock.now(), random);
    if (!keyring) {
        std::cerr << "bench_fill: " << keyring.error().message() << "\n";
        return 1;
    }
    Envelope envelope(**keyring, random);
    ThreadedStoreRunner runner(**store);
    Vault vault(runner, envelope, clock, random);
    boost::asio::io_context context(1);
    std::size_t next = 0;
    std::size_t failed = 0;
    auto const worker = [&]() -> Task<void> {
        while (next < count) {
            auto const number = next++;
            auto made =
                co_await vault.connect(signed_in(number, origin), tokens(clock.now(), size, random),
                                       {{0, clock.now(), "connection.connected", "", "{}"}});
            if (made) {
                std::cout << made->id.value() << "\n";
            } else {
                ++failed;
            }
        }
    };
    for (std::size_t i = 0; i < at_once; ++i) {
        boost::asio::co_spawn(context, worker(),
                              [&](std::exception_ptr thrown) { failed += thrown ? 1 : 0; });
    }
    context.run();
    runner.stop();
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4 && argc != 5) {
        std::cerr << "bench_fill FOLDER COUNT TOKEN_BYTES [ORIGIN]\n";
        return 64;
    }
    return fill(argv[1], std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10),
                argc == 5 ? argv[4] : "https://ws.example");
}
