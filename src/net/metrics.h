// SPDX-License-Identifier: Apache-2.0
#pragma once
// Counters, gauges and histograms with labels, in Prometheus' text form, over prometheus-cpp. Look
// a series up once and keep the reference: it lives as long as Metrics. Updates are lock free; any
// thread. Label values are chosen by us, never by a caller, so that the number of series is
// bounded.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace brickgate {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
    void add(double amount = 1);

 private:
    friend class Metrics;
    prometheus::Counter* series_ = nullptr;
};

class Gauge {
 public:
    void set(double value);
    void add(double amount);

 private:
    friend class Metrics;
    prometheus::Gauge* series_ = nullptr;
};

class Histogram {
 public:
    void observe(double value);

 private:
    friend class Metrics;
    prometheus::Histogram* series_ = nullptr;
};

class Metrics {
 public:
    Metrics();
    ~Metrics();
    Metrics(Metrics const&) = delete;
    Metrics& operator=(Metrics const&) = delete;

    // The same name and labels give the same series. `help` of the first call counts.
    Counter& counter(std::string const& name, std::string const& help, Labels const& labels = {});
    Gauge& gauge(std::string const& name, std::string const& help, Labels const& labels = {});
    Histogram& histogram(std::string const& name, std::string const& help,
                         std::vector<double> bounds, Labels const& labels = {});
    // Called before each exposition: for gauges that are cheaper to ask than to keep.
    void before_exposition(std::function<void()> refresh);
    std::string text() const;

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace brickgate
