// SPDX-License-Identifier: Apache-2.0
// The simulator in every test run: a range of seeds that break no rule, designs that do, and the
// seeds that once found something. A seed that fails prints what led to it and how to see it again.
#include <gtest/gtest.h>

#include "base/log.h"
#include "sim/breaks.h"
#include "sim/simulation.h"

namespace brickgate::sim {

void PrintTo(NamedBreak const& one, std::ostream* out) {
    *out << one.name;
}

namespace {

constexpr std::uint64_t seeds_each = 75;

class Quiet : public ::testing::Test {
 protected:
    Quiet() { set_up_log(LogLevel::error, LogFormat::json); }
};

class Seeds : public Quiet, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(Seeds, break_no_rule) {
    for (std::uint64_t seed = GetParam(); seed < GetParam() + seeds_each; ++seed) {
        auto const report = run(seed);
        ASSERT_FALSE(report.verdict) << explain(report);
    }
}
INSTANTIATE_TEST_SUITE_P(Simulator, Seeds, ::testing::Range<std::uint64_t>(1, 601, seeds_each),
                         [](auto const& info) { return "from_" + std::to_string(info.param); });

class Designs : public Quiet, public ::testing::WithParamInterface<NamedBreak> {};

// What the judge cannot see it cannot rule out: each rule is left out once, and must be missed.
TEST_P(Designs, that_break_a_rule_are_noticed) {
    constexpr std::uint64_t seeds_at_most = 600;
    for (std::uint64_t seed = 1; seed <= seeds_at_most; ++seed) {
        if (run(seed, GetParam().broken).verdict) {
            return;
        }
    }
    FAIL() << "not in " << seeds_at_most << " seeds";
}
INSTANTIATE_TEST_SUITE_P(Simulator, Designs, ::testing::ValuesIn(breaks),
                         [](auto const& info) { return std::string(info.param.name); });

using Simulator = Quiet;

TEST_F(Simulator, a_seed_says_all_there_is_to_say) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        auto const first = run(seed);
        auto const second = run(seed, Break::none, 10);
        EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
        EXPECT_NE(first.hash, run(seed + 1).hash) << "seed " << seed;
    }
}

TEST_F(Simulator, a_failure_tells_its_seed_and_how_to_see_it_again) {
    auto failed = run(1);
    failed.verdict = "it is only a drill";
    auto const text = explain(failed);
    EXPECT_NE(text.find("it is only a drill"), std::string::npos) << text;
    EXPECT_NE(text.find("./run sim SEED=1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("calm"), std::string::npos) << text;
    EXPECT_EQ(text.find("ANOTHER ONE"), std::string::npos) << text;
}

}  // namespace
}  // namespace brickgate::sim
