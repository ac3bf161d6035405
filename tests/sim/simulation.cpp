// SPDX-License-Identifier: Apache-2.0
#include "sim/simulation.h"

#include "sim/people.h"

namespace brickgate::sim {

namespace {

using namespace std::chrono_literals;

// Longer than the longest back-off (an hour), and a token's life after it.
constexpr Milliseconds calm_at_most = 3h;
constexpr std::uint64_t steps_at_most = 400'000;  // beyond it something turns in circles

class Simulation {
 public:
    Simulation(std::uint64_t seed, Break broken, std::size_t lines_kept)
        : seed_(seed), world_(seed, broken, lines_kept), people_(world_, nodes_) {
        for (std::size_t i = 0; i < world_.setting.nodes; ++i) {
            nodes_.push_back(std::make_unique<Node>(world_, fmt::format("node_{}", i + 1)));
        }
    }

    Report run() {
        for (auto const& node : nodes_) {
            node->start();
        }
        people_.begin();
        haunt();
        go_on_until(Instant(world_.setting.storm), [] { return false; });
        world_.faults.end();
        world_.note("calm");
        Instant const calm = world_.agenda.now();
        bool const settled =
            go_on_until(calm + calm_at_most, [&] { return all_serve() && people_.settled(calm); });
        if (!settled && !world_.judge.verdict()) {
            world_.judge.fail("nothing goes wrong any more, and still not all is well");
        }
        if (world_.judge.verdict() == std::nullopt) {
            finish();
        }
        return report();
    }

 private:
    // False: the time was up, or a rule was broken.
    template <class Enough>
    bool go_on_until(Instant end, Enough enough) {
        while (!world_.judge.verdict() && world_.agenda.now() < end) {
            if (enough()) {
                return true;
            }
            if (!world_.agenda.step() || world_.agenda.steps() > steps_at_most) {
                world_.judge.fail("time passes and nothing comes to an end");
            }
        }
        return false;
    }
    bool all_serve() const {
        return std::ranges::all_of(nodes_, [](auto const& node) { return node->serves(); });
    }
    // What strikes at any moment.
    void haunt() {
        auto& faults = world_.faults;
        auto& node = *nodes_[world_.dice.below(nodes_.size())];
        if (faults.strikes(Fault::crash_anywhere)) {
            node.crash();
        }
        if (faults.strikes(Fault::stopped)) {
            node.stop();
        }
        if (faults.strikes(Fault::clock_set)) {
            auto const step = world_.dice.between(0ms, 20min) - 10min;
            world_.clock.set(step);
            world_.judge.clock_set();
            world_.note("clock set", "", step.count());
        }
        world_.store.synced();
        world_.agenda.after(world_.dice.between(1s, 20s), [this] { haunt(); });
    }
    // Flights have ended, and what the last of them said is true.
    void finish() {
        Instant const end = world_.agenda.now() + 2min;
        go_on_until(end, [this] {
            return std::ranges::all_of(nodes_,
                                       [](auto const& node) { return node->in_flight() == 0; });
        });
        for (auto const& node : nodes_) {
            if (node->in_flight() > 0) {
                world_.judge.fail("a flight does not end");
            }
        }
    }
    Report report() {
        Report out;
        out.seed = seed_;
        out.verdict = world_.judge.verdict();
        out.hash = world_.trace.hash();
        out.tail.assign(world_.trace.lines().begin(), world_.trace.lines().end());
        auto const& setting = world_.setting;
        out.setting = fmt::format("{} node{}, {} people, {} host{}, {}, tokens of {} s",
                                  setting.nodes, setting.nodes > 1 ? "s" : "", setting.people,
                                  setting.hosts, setting.hosts > 1 ? "s" : "",
                                  to_string(setting.nature.rotation), setting.nature.life.count());
        out.steps = world_.agenda.steps();
        out.faults = world_.faults.struck();
        for (auto const& node : nodes_) {
            out.crashes += node->crashes();
        }
        out.refreshes = world_.judge.refreshes();
        out.repeats = world_.judge.repeats();
        out.deaths = world_.judge.deaths();
        out.tokens = people_.tokens();
        out.time = world_.agenda.now().time_since_epoch();
        return out;
    }

    std::uint64_t seed_;
    World world_;
    std::vector<std::unique_ptr<Node>> nodes_;
    People people_;
};

}  // namespace

Report run(std::uint64_t seed, Break broken, std::size_t lines_kept) {
    Simulation simulation(seed, broken, lines_kept);
    return simulation.run();
}

std::string explain(Report const& failed, Break broken, std::size_t lines) {
    auto const again = run(failed.seed, broken, lines);
    std::string out = fmt::format("seed {}: {}\n  {}\n", failed.seed,
                                  failed.verdict.value_or("nothing"), again.setting);
    for (auto const& line : again.tail) {
        out += "  " + line + '\n';
    }
    if (again.hash != failed.hash) {
        out += "  THE SECOND RUN WAS ANOTHER ONE: the simulation is not a function of its seed.\n";
    }
    return out + fmt::format("  again: ./run sim SEED={}\n", failed.seed);
}

}  // namespace brickgate::sim
