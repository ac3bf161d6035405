// SPDX-License-Identifier: Apache-2.0
#include "sim/node.h"

#include "vault/envelope.h"

namespace brickgate::sim {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds scan_at_least_every = 60s;
constexpr Milliseconds scan_at_most_every = 1s;  // as the product's own loop
constexpr Milliseconds stop_grace = 25s;
// Of what strikes at a door, since there are so many of them.
constexpr double freeze_chance = 0.1;
constexpr double crash_chance = 0.35;

RefreshPolicy policy_of(Break broken) {
    RefreshPolicy policy;
    if (has(broken, Break::eager)) {
        policy.uncertain_wait = 0s;
    }
    return policy;
}

}  // namespace

Node::Life::Life(World& world, std::string const& node, std::string boot, Disk& disk,
                 SimSpool::Tell tell, std::uint64_t seed, std::function<void()> at_door)
    : process(std::make_shared<Process>(world.agenda, world.clock)),
      random(seed),
      envelope(*world.keyring, random),
      runner(world.store, process, world.faults, world.dice, at_door),
      vault(runner, envelope, world.clock, random),
      spool(disk, node, *world.keyring, process, random, world.faults, world.dice, world.broken,
            std::move(tell), at_door),
      http(world, node, process, at_door),
      policy(policy_of(world.broken)),
      discovery(http, world.clock),
      cache(random, policy),
      refresher(Refresher::Parts{world.registrations, vault, spool, http, cache, world.clock,
                                 random, *process, policy, node, std::move(boot)}),
      scheduler(refresher, vault, world.clock, *process),
      login(Login::Parts{world.registrations, vault, spool, http, discovery, world.clock, random,
                         world.return_to_allowed, 1000,
                         [this](Time issued, Time expires) {
                             return policy.due_at(issued, expires, random.unit());
                         },
                         *process}) {}

Node::~Node() {
    if (life_) {
        end(false);
    }
}

// While something is waited for is the time to die.
void Node::at_door() {
    auto& faults = world_.faults;
    if (!life_ || !life_->process->alive()) {
        return;
    }
    if (faults.strikes(Fault::frozen, freeze_chance)) {
        world_.note("frozen", name_);
        life_->process->freeze(world_.dice.between(1s, 60s));
    }
    if (!faults.strikes(Fault::crash_at_door, crash_chance)) {
        return;
    }
    world_.agenda.after(world_.dice.between(0ms, 30ms), [this, life = std::weak_ptr<Life>(life_)] {
        if (auto const still = life.lock(); still && still == life_) {
            crash();
        }
    });
}

SimSpool::Tell Node::tell() {
    auto const about = [this](Presentation::Kept state) {
        return [this, state](std::string_view answer) {
            if (life_) {
                world_.judge.kept(*life_->process, answer, state);
            }
        };
    };
    return {about(Presentation::Kept::writing), about(Presentation::Kept::yes),
            about(Presentation::Kept::failed)};
}

void Node::start() {
    lives_ += 1;
    auto const boot = fmt::format("boot-{}", lives_);
    world_.note("starts", name_, static_cast<std::int64_t>(lives_));
    life_ = std::make_shared<Life>(world_, name_, boot, disk_, tell(), world_.dice.next(),
                                   [this] { at_door(); });
    life_->process->run(live(life_));
}

// As app/gateway's start(): recovery first, then everything else.
Task<void> Node::live(std::shared_ptr<Life> life) {
    std::vector<SpoolEntry> refreshes;
    std::vector<SpoolEntry> logins;
    for (auto& entry : life->spool.take_unresolved()) {
        (entry.identity.kind == SpoolKind::refresh ? refreshes : logins)
            .push_back(std::move(entry));
    }
    world_.note("recovers", name_, static_cast<std::int64_t>(refreshes.size() + logins.size()));
    if (!has(world_.broken, Break::no_recovery)) {
        co_await life->login.recover(std::move(logins));
        auto const recovered = co_await life->refresher.recover(std::move(refreshes));
        if (!recovered) {  // the program ends, and is started again
            world_.note("cannot recover", name_);
            world_.agenda.after(0ms, [this, ended = std::weak_ptr<Life>(life)] {
                if (auto const still = ended.lock(); still && still == life_) {
                    crash();
                }
            });
            co_return;
        }
    }
    life->serving = true;
    world_.note("serves", name_);
    co_await keep_schedule(std::move(life));
}

// The product's loop looks once a second. Looks that would find nothing are left out: with them a
// simulated hour would cost seconds.
Task<void> Node::keep_schedule(std::shared_ptr<Life> life) {
    while (!life->stopping) {
        (void)co_await life->scheduler.tick();
        Time const now = world_.clock.now();
        Time next = now + scan_at_least_every;
        for (auto const& [id, row] : world_.store.rows().connections) {
            bool const alive = row.state == ConnectionState::active ||
                               row.state == ConnectionState::uncertain ||
                               row.state == ConnectionState::host_blocked;
            if (alive && row.refresh_due_at) {
                next = std::min(next, std::max(*row.refresh_due_at,
                                               row.next_attempt_at.value_or(*row.refresh_due_at)));
            }
        }
        co_await life->process->sleep_for(std::max(scan_at_most_every, next - now));
    }
}

Task<void> Node::end_in_order(std::shared_ptr<Life> life) {
    co_await with_timeout(life->refresher.drained(), stop_grace, *life->process);
    world_.agenda.after(0ms, [this, ended = std::weak_ptr<Life>(life)] {
        if (auto const still = ended.lock(); still && still == life_) {
            end(false);
        }
    });
}

void Node::stop() {
    if (!serves()) {
        return;
    }
    world_.note("stops", name_);
    life_->stopping = true;
    life_->refresher.stop_claiming();
    life_->process->run(end_in_order(life_));
}

void Node::crash() {
    if (!life_) {
        return;
    }
    crashes_ += 1;
    end(world_.dice.chance(0.5));
}

void Node::end(bool power_cut) {
    world_.note(power_cut ? "power cut" : "ends", name_);
    auto const life = std::exchange(life_, nullptr);
    life->process->kill();
    if (life->process->tasks() != 0) {
        world_.judge.fail("a task has outlived its process");
    }
    if (power_cut) {
        disk_.power_cut();
        world_.store.lose_unsynced();
    } else {
        disk_.process_killed();
    }
    // What the next life is going to find, read by its own means.
    SimSpool const left(disk_, name_, *world_.keyring, nullptr, world_.random, world_.faults,
                        world_.dice, world_.broken, {}, {});
    world_.judge.died(*life->process, left.refresh_tokens());
    world_.agenda.after(world_.dice.between(1s, 90s), [this] {
        if (!life_) {
            start();
        }
    });
}

bool Node::serves() const {
    return life_ && life_->serving && !life_->stopping;
}

std::size_t Node::in_flight() const {
    return life_ ? life_->refresher.in_flight() : 0;
}

}  // namespace brickgate::sim
