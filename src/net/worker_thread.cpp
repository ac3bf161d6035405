// SPDX-License-Identifier: Apache-2.0
#include "net/worker_thread.h"

#include <pthread.h>

namespace brickgate {

void name_this_thread(std::string const& name) {
    pthread_setname_np(pthread_self(),
                       name.substr(0, 15).c_str());  // the kernel keeps 15 characters
}

WorkerThread::WorkerThread(std::string name, std::size_t queue_max)
    : worker_(std::move(name), queue_max, run_all) {}

std::vector<WorkerThread::Done> WorkerThread::run_all(std::vector<Job> jobs) {
    for (Job& job : jobs) {
        job();
    }
    return std::vector<Done>(jobs.size());
}

}  // namespace brickgate
