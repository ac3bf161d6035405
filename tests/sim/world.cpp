// SPDX-License-Identifier: Apache-2.0
#include "sim/world.h"

#include "vault/envelope.h"

namespace brickgate::sim {

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 2> origins{"https://dbc-a.cloud.databricks.com",
                                                  "https://dbc-b.cloud.databricks.com"};

std::shared_ptr<Registration const> make_registration() {
    auto out = std::make_shared<Registration>();
    out->id = RegistrationId("reg_1");
    out->client.method = ClientAuthentication::Method::client_secret_post;
    out->client.client_id = ClientId("client-1");
    out->client.client_secret = Secret::copy_of("s3cret");
    for (auto const host : origins) {
        (void)out->hosts.add(host);
    }
    // Without openid: who signs in is asked at SCIM, which costs no signatures.
    out->scopes = {"all-apis", "offline_access"};
    out->redirect_uri = RedirectUri("http://localhost:3000/callback");
    return out;
}

}  // namespace

Setting Setting::draw(Dice& dice) {
    Setting out;
    out.nodes = dice.chance(0.25) ? 2 : 1;
    out.people = 1 + dice.below(3);
    out.hosts = 1 + dice.below(origins.size());
    constexpr std::array<Rotation, 4> rotations{Rotation::reusable, Rotation::grace,
                                                Rotation::strict, Rotation::revoke};
    constexpr std::array<Seconds, 3> lives{120s, 300s, 900s};
    out.nature.rotation = rotations[dice.below(rotations.size())];
    out.nature.life = lives[dice.below(lives.size())];
    out.nature.omits_unchanged = dice.chance(0.5);
    out.storm = dice.between(5min, 20min);
    return out;
}

World::World(std::uint64_t seed, Break broken_on_purpose, std::size_t lines_kept)
    : dice(seed),
      random(seed),
      trace(lines_kept),
      faults(dice),
      setting(Setting::draw(dice)),
      broken(broken_on_purpose),
      workspaces(clock, setting.nature),
      store(broken),
      judge(Judge::Parts{agenda, clock, workspaces, store, trace, setting.nodes,
                         faults.on(Fault::clock_set)}) {
    std::vector<Secret> roots;
    roots.push_back(Secret::copy_of(std::string(32, 'r')));
    keyring = std::move(Keyring::open(std::move(roots), store, false, clock.now(), random).value());
    registrations.push_back(make_registration());
    judge.can_open([this](Connection const& row, bool alternative) {
        Envelope const envelope(*keyring, random);
        auto const opened = alternative
                                ? envelope.open(SealedKind::refresh_token, row.sealed_alt_refresh,
                                                identity_of(row, "alt_refresh", row.family))
                                : envelope.open(SealedKind::refresh_token, row.sealed_refresh,
                                                identity_of(row, "cur_refresh", row.generation));
        return opened ? opened->expose([](std::string_view text) { return std::string(text); })
                      : std::string();
    });
    workspaces.on_reuse([this](std::string const& grant) { judge.reused(grant); });
    store.on_commit([this] { judge.committed(); });
    store.synced();
}

std::string World::host_of(std::size_t person) const {
    return std::string(origins[person % setting.hosts]);
}

}  // namespace brickgate::sim
