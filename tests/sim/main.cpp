// SPDX-License-Identifier: Apache-2.0
// sim SEEDS [FIRST] [BREAK]: runs so many seeds, from that one on, and ends at the first that
// breaks a rule. One seed alone shows what happened in it.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "sim/breaks.h"
#include "sim/simulation.h"

namespace brickgate::sim {
namespace {

int run_all(std::uint64_t seeds, std::uint64_t first, Break broken) {
    std::uint64_t refreshes = 0;
    std::uint64_t crashes = 0;
    std::uint64_t faults = 0;
    std::uint64_t repeats = 0;
    std::uint64_t deaths = 0;
    std::uint64_t tokens = 0;
    Milliseconds time{};
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        auto const report = run(seed, broken, 0);
        if (report.verdict) {
            fmt::print("\n{}", explain(report, broken));
            return 1;
        }
        refreshes += report.refreshes;
        crashes += report.crashes;
        faults += report.faults;
        repeats += report.repeats;
        deaths += report.deaths;
        tokens += report.tokens;
        time += report.time;
        if ((seed - first + 1) % 100 == 0) {
            fmt::print("{} seeds\n", seed - first + 1);
            std::fflush(stdout);
        }
    }
    fmt::print(
        "{} seeds from {}: no rule broken in {} simulated hours. {} faults and {} crashes struck, "
        "{} refreshes ({} of them repeats), {} tokens handed out, {} grants ended, each with its "
        "cause.\n",
        seeds, first, std::chrono::floor<std::chrono::hours>(time).count(), faults, crashes,
        refreshes, repeats, tokens, deaths);
    return 0;
}

int show(std::uint64_t seed, Break broken) {
    auto const report = run(seed, broken, 100'000);
    for (auto const& line : report.tail) {
        fmt::print("{}\n", line);
    }
    fmt::print("seed {}: {} ({}; {} steps, hash {:016x})\n", seed,
               report.verdict.value_or("no rule broken"), report.setting, report.steps,
               report.hash);
    return report.verdict ? 1 : 0;
}

}  // namespace
}  // namespace brickgate::sim

int main(int argc, char** argv) {
    using namespace brickgate::sim;
    brickgate::set_up_log(brickgate::LogLevel::error, brickgate::LogFormat::json);
    auto const number = [&](int at, std::uint64_t otherwise) {
        return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
    };
    auto const broken = argc > 3 ? break_named(argv[3]) : Break::none;
    std::uint64_t const seeds = number(1, 1000);
    return seeds == 1 ? show(number(2, 1), broken) : run_all(seeds, number(2, 1), broken);
}
