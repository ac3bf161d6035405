// SPDX-License-Identifier: Apache-2.0
#include "net/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <utility>

namespace brickgate {

struct Metrics::State {
    std::mutex mutex;
    prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
    std::map<std::pair<std::string, Labels>, Counter> counters;
    std::map<std::pair<std::string, Labels>, Gauge> gauges;
    std::map<std::pair<std::string, Labels>, Histogram> histograms;
    std::vector<std::function<void()>> refreshers;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Counter::add(double amount) {
    series_->Increment(amount);
}
void Gauge::set(double value) {
    series_->Set(value);
}
void Gauge::add(double amount) {
    series_->Increment(amount);
}
void Histogram::observe(double value) {
    series_->Observe(value);
}

Counter& Metrics::counter(std::string const& name, std::string const& help, Labels const& labels) {
    std::lock_guard lock(state_->mutex);
    Counter& counter = state_->counters[{name, labels}];
    if (counter.series_ == nullptr) {
        auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry);
        counter.series_ = &family.Add(labels);
    }
    return counter;
}

Gauge& Metrics::gauge(std::string const& name, std::string const& help, Labels const& labels) {
    std::lock_guard lock(state_->mutex);
    Gauge& gauge = state_->gauges[{name, labels}];
    if (gauge.series_ == nullptr) {
        auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry);
        gauge.series_ = &family.Add(labels);
    }
    return gauge;
}

Histogram& Metrics::histogram(std::string const& name, std::string const& help,
                              std::vector<double> bounds, Labels const& labels) {
    std::lock_guard lock(state_->mutex);
    Histogram& histogram = state_->histograms[{name, labels}];
    if (histogram.series_ == nullptr) {
        auto& family =
            prometheus::BuildHistogram().Name(name).Help(help).Register(state_->registry);
        histogram.series_ = &family.Add(labels, std::move(bounds));
    }
    return histogram;
}

void Metrics::before_exposition(std::function<void()> refresh) {
    std::lock_guard lock(state_->mutex);
    state_->refreshers.push_back(std::move(refresh));
}

std::string Metrics::text() const {
    std::vector<std::function<void()>> refreshers;
    {
        std::lock_guard lock(state_->mutex);
        refreshers = state_->refreshers;
    }
    for (auto const& refresh : refreshers) {
        refresh();
    }
    return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace brickgate
