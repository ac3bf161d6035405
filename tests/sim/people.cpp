// SPDX-License-Identifier: Apache-2.0
#include "sim/people.h"

#include "events/event.h"

namespace brickgate::sim {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds patience = 4min;  // nobody waits longer for an answer, whatever it is

std::string query_field(std::string_view url, std::string_view name) {
    auto const fields = form_decode(url.substr(url.find('?') + 1)).value_or(FormFields{});
    for (auto const& [key, value] : fields) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

}  // namespace

People::People(World& world, std::vector<std::unique_ptr<Node>>& nodes)
    : world_(world), nodes_(nodes) {
    for (std::size_t i = 0; i < world_.setting.people; ++i) {
        people_.emplace_back().name = fmt::format("p{}", i + 1);
    }
}

void People::begin() {
    for (std::size_t i = 0; i < people_.size(); ++i) {
        world_.agenda.after(world_.dice.between(100ms, 5s), [this, i] { visit(i); });
    }
}

Node* People::some_node() {
    std::vector<Node*> serving;
    for (auto const& node : nodes_) {
        if (node->serves()) {
            serving.push_back(node.get());
        }
    }
    return serving.empty() ? nullptr : serving[world_.dice.below(serving.size())];
}

Connection const* People::connection_of(std::size_t person) const {
    for (auto const& [id, row] : world_.store.rows().connections) {
        if (row.principal.sub == "scim:" + people_[person].name &&
            row.state != ConnectionState::disconnected) {
            return &row;
        }
    }
    return nullptr;
}

void People::visit(std::size_t person) {
    act(person);
    bool const calm = world_.faults.over();
    world_.agenda.after(world_.dice.between(calm ? 5s : 1s, calm ? 60s : 90s),
                        [this, person] { visit(person); });
}

void People::act(std::size_t person) {
    auto& faults = world_.faults;
    auto const* const row = connection_of(person);
    bool const usable = row && row->state != ConnectionState::reauth_required;
    if (!usable) {
        // Most come back; some wait until the end to see what the gateway says of it.
        if (!row || world_.dice.chance(0.2)) {
            sign_in(person);
        }
        return;
    }
    if (faults.strikes(Fault::admin_revokes)) {
        auto const grant = world_.judge.grant_of(row->id);
        world_.workspaces.end(grant);
        world_.judge.revoked(grant, "an admin");
    }
    if (faults.strikes(Fault::signs_in_again)) {
        sign_in(person);
    }
    if (auto* const node = some_node(); node && faults.strikes(Fault::disconnects)) {
        node->life().process->run(disconnect_on(*node, row->id));
        return;
    }
    ask(person, row->id);
}

void People::ask(std::size_t person, ConnectionId const& id) {
    auto* const node = some_node();
    if (!node) {
        return;
    }
    TokenWish wish;
    if (world_.dice.chance(0.3)) {
        wish.min_valid = Seconds(static_cast<std::int64_t>(world_.dice.below(400)));
    }
    if (world_.faults.strikes(Fault::rejected)) {
        wish.newer_than = connection_of(person)->generation;
    }
    people_[person].asked += 1;
    node->life().process->run(ask_on(*node, person, id, wish));
}

// A question that is never answered, though nobody died over it, is a deadlock.
void People::expect_end(std::size_t person, std::weak_ptr<Process> process,
                        std::shared_ptr<bool> done) {
    bool const may_freeze = world_.faults.on(Fault::frozen);
    world_.agenda.after(may_freeze ? 8 * patience : patience,
                        [this, person, process = std::move(process), done = std::move(done)] {
                            auto const still = process.lock();
                            if (!*done && still && still->alive()) {
                                world_.judge.fail("nobody answers " + people_[person].name);
                            }
                        });
}

Task<void> People::ask_on(Node& node, std::size_t person, ConnectionId id, TokenWish wish) {
    auto const done = std::make_shared<bool>(false);
    expect_end(person, node.life().process, done);
    Instant const asked_at = world_.agenda.now();
    bool const plain = wish.min_valid == 0s && !wish.newer_than;
    auto const token = co_await node.life().refresher.token(id, wish);
    *done = true;
    if (!token) {
        world_.note("no token", people_[person].name, 0, token.error().name());
        if (world_.faults.struck() == 0 && plain) {
            world_.judge.fail("a token is refused though nothing is wrong: " +
                              std::string(token.error().name()));
        }
        co_return;
    }
    tokens_ += 1;
    people_[person].served_at = asked_at;
    world_.note("token", people_[person].name, static_cast<std::int64_t>(token->generation));
    world_.judge.handed(id, *token, asked_at);
}

// As server/api_connections does it.
Task<void> People::disconnect_on(Node& node, ConnectionId id) {
    auto& life = node.life();
    auto const row = co_await life.vault.find(id);
    if (!row || !*row) {
        co_return;
    }
    std::vector<EventRow> events{connection_disconnected(world_.clock.now(), **row)};
    auto const ended = co_await life.vault.disconnect(id, std::move(events));
    if (!ended) {
        co_return;
    }
    life.cache.end(id, (*row)->family);
    world_.note("disconnected", node.name(), *ended ? 1 : 0);
    if (*ended) {
        world_.judge.not_before(id, (*row)->family + 1);
    }
}

void People::sign_in(std::size_t person) {
    auto* const node = some_node();
    if (!node || people_[person].signing_in) {
        return;
    }
    people_[person].signing_in = true;
    world_.agenda.after(3min, [this, person] { people_[person].signing_in = false; });
    node->life().process->run(sign_in_on(*node, person));
}

Task<void> People::sign_in_on(Node& node, std::size_t person) {
    auto& life = node.life();
    auto const& name = people_[person].name;
    LoginWish wish;
    wish.workspace = world_.host_of(person);
    wish.subject = name;
    auto const start = co_await life.login.begin(world_.registrations.front(), std::move(wish));
    if (!start) {
        world_.note("cannot sign in", name, 0, start.error().name());
        co_return;
    }
    co_await life.process->pause(world_.dice.between(1s, 20s));  // reads, and consents
    std::string const code = world_.workspaces.authorize(name, world_.host_of(person));
    std::string const query =
        "code=" + code + "&state=" + query_field(start->authorize_url, "state");
    auto const cookie =
        start->cookie_value.expose([](std::string_view text) { return std::string(text); });
    auto const jar = [cookie](std::string const&) -> Result<PresentedCookie> {
        return PresentedCookie{cookie, std::nullopt};
    };
    auto const finished = co_await life.login.finish(query, jar);
    if (!finished) {
        world_.note("cannot sign in", name, 0, finished.error().error.name());
        if (world_.faults.struck() == 0) {
            world_.judge.fail("nobody can sign in though nothing is wrong");
        }
        co_return;
    }
    life.refresher.replaced(finished->connection);
    world_.note("signed in", name, static_cast<std::int64_t>(finished->connection.family));
    world_.judge.not_before(finished->connection.id, finished->connection.family);
}

bool People::settled(Instant since) const {
    for (std::size_t i = 0; i < people_.size(); ++i) {
        auto const* const row = connection_of(i);
        if (row && row->state == ConnectionState::reauth_required) {
            continue;
        }
        bool const served = people_[i].served_at && *people_[i].served_at >= since;
        if (!row || row->state != ConnectionState::active || !served) {
            return false;
        }
    }
    return true;
}

}  // namespace brickgate::sim
