// SPDX-License-Identifier: Apache-2.0
#include "vault/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>

#include "support/child.h"
#include "support/run_task.h"
#include "support/seeded_random.h"
#include "support/temp_folder.h"
#include "vault/spool_format.h"

namespace brickgate::testing {
namespace {

// The disk as a test wants it: every fdatasync of this program goes through here.
class Disk {
 public:
    int sync(int fd) {
        std::unique_lock lock(mutex_);
        syncs_ += 1;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !held_; });
        if (std::exchange(broken_, false)) {
            errno = EIO;
            return -1;
        }
        lock.unlock();
        return static_cast<int>(syscall(SYS_fdatasync, fd));
    }
    void hold() {
        std::scoped_lock const lock(mutex_);
        held_ = true;
        syncs_ = 0;
    }
    void wait_for_sync() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return syncs_ > 0; });
    }
    void go_on() {
        std::scoped_lock const lock(mutex_);
        held_ = false;
        changed_.notify_all();
    }
    void break_next_sync() {
        std::scoped_lock const lock(mutex_);
        broken_ = true;
    }
    int syncs() {
        std::scoped_lock const lock(mutex_);
        return syncs_;
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int syncs_ = 0;
    bool held_ = false;
    bool broken_ = false;
};

Disk& disk() {
    static Disk one;
    return one;
}

}  // namespace
}  // namespace brickgate::testing

extern "C" int fdatasync(int fd) {
    return brickgate::testing::disk().sync(fd);
}

namespace brickgate::testing {
namespace {

constexpr Time now{Seconds(1'800'000'000)};
constexpr std::size_t small_segment = 3 * spool::frame_bytes_max;

SpoolIdentity identity_of(std::string const& name) {
    return {SpoolKind::refresh, "con_" + name, 3, 7, "try-" + name};
}

struct TestKeys final : SpoolKeys {
    SpoolKey spool_key() const override {
        return {id, reinterpret_cast<unsigned char const*>(bytes.data())};
    }
    std::optional<KeyArena::Key> find_spool_key(std::uint32_t) const override {
        return spool_key().key;
    }
    std::string bytes = std::string(32, 'k');
    std::uint32_t id = 3;
};

class SpoolTest : public ::testing::Test {
 protected:
    SpoolTest() { reopen(); }

    void reopen() {
        spool_.reset();
        auto opened = open();
        ASSERT_TRUE(opened) << opened.error().message();
        spool_ = std::move(*opened);
    }
    Result<std::unique_ptr<Spool>> open(char key = 'k', std::string const& node = "node_a") {
        keys_.bytes = std::string(32, key);
        return open_spool({folder_ / "spool", node, small_segment}, keys_, random_);
    }
    Task<Result<std::uint64_t>> append_task(std::string name, std::string answer) {
        auto room = spool_->reserve();
        if (!room) {
            co_return fail(room.error());
        }
        co_return co_await spool_->append(std::move(*room), identity_of(name), now,
                                          Secret::copy_of(answer));
    }
    Result<std::uint64_t> append(std::string const& name, std::string const& answer = "answer") {
        return run_task(append_task(name, answer));
    }
    std::vector<std::string> unresolved() {
        std::vector<std::string> out;
        for (auto const& entry : spool_->take_unresolved()) {
            out.push_back(entry.identity.connection.substr(4) + "=" +
                          entry.answer.expose([](std::string_view t) { return std::string(t); }));
        }
        return out;
    }
    std::vector<std::filesystem::path> files(std::string const& extension = ".segment") {
        std::vector<std::filesystem::path> out;
        for (auto const& entry : std::filesystem::directory_iterator(folder_ / "spool")) {
            if (entry.path().extension() == extension) {
                out.push_back(entry.path());
            }
        }
        std::ranges::sort(out);
        return out;
    }
    static std::string content(std::filesystem::path const& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static void overwrite(std::filesystem::path const& path, std::size_t at, std::string bytes) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(at));
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }

    TempFolder folder_;
    SeededRandom random_;
    TestKeys keys_;
    std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, an_answer_is_found_after_a_restart_oldest_first) {
    ASSERT_TRUE(append("1", std::string("raw\0answer", 10)));
    ASSERT_TRUE(append("2", "another"));
    reopen();
    auto entries = spool_->take_unresolved();
    ASSERT_EQ(entries.size(), 2U);
    auto const& first = entries[0];
    EXPECT_LT(first.seq, entries[1].seq);
    EXPECT_EQ(first.identity.kind, SpoolKind::refresh);
    EXPECT_EQ(first.identity.connection, "con_1");
    EXPECT_EQ(first.identity.family, 3U);
    EXPECT_EQ(first.identity.generation, 7U);
    EXPECT_EQ(first.identity.attempt, "try-1");
    EXPECT_EQ(first.received_at, now);
    EXPECT_TRUE(first.answer.ct_equal(std::string_view("raw\0answer", 10)));
    EXPECT_TRUE(spool_->take_unresolved().empty()) << "told once";
}

TEST_F(SpoolTest, what_was_committed_is_not_told_again) {
    auto const first = append("1");
    ASSERT_TRUE(append("2"));
    spool_->committed(*first, now);
    reopen();
    EXPECT_THAT(unresolved(), ::testing::ElementsAre("2=answer"));
}

TEST_F(SpoolTest, what_was_found_and_then_committed_is_not_told_again) {
    ASSERT_TRUE(append("1"));
    reopen();
    auto const entries = spool_->take_unresolved();
    ASSERT_EQ(entries.size(), 1U);
    auto const next = append("2");
    EXPECT_GT(*next, entries[0].seq) << "sequences go on over restarts";
    spool_->committed(entries[0].seq, now);
    spool_->committed(*next, now);
    spool_->committed(12345, now);
    spool_->trim(now);
    reopen();
    EXPECT_THAT(unresolved(), ::testing::IsEmpty());
}

TEST_F(SpoolTest, a_trim_writes_down_what_was_committed) {
    auto const first = append("1");
    spool_->committed(*first, now);
    spool_->trim(now);
    auto const frames = spool::read_segment(content(files().front())).frames;
    ASSERT_EQ(frames.size(), 2U);
    ASSERT_TRUE(frames[1].note);
    EXPECT_EQ(frames[1].note->committed, *first);
}

TEST_F(SpoolTest, T73_nothing_of_an_answer_lies_on_disk_in_the_clear) {
    ASSERT_TRUE(append("1", "dapi-canary-0123456789"));
    spool_.reset();
    for (auto const& path : files()) {
        EXPECT_EQ(content(path).find("canary"), std::string::npos);
    }
}

TEST_F(SpoolTest, T71_an_entry_is_bound_to_its_node_and_key) {
    ASSERT_TRUE(append("1"));
    spool_.reset();
    for (auto const& [key, node] : {std::pair('x', "node_a"), {'k', "node_b"}}) {
        auto const other = open(key, node);
        ASSERT_TRUE(other);
        EXPECT_TRUE((*other)->take_unresolved().empty());
    }
    reopen();
    EXPECT_THAT(unresolved(), ::testing::ElementsAre("1=answer")) << "it was left where it is";
}

// The names in an entry are readable and not secret; changing one must not move an answer.
TEST_F(SpoolTest, T71_an_entry_is_bound_to_its_presentation) {
    ASSERT_TRUE(append("1"));
    spool_.reset();
    auto const path = files().front();
    auto const bytes = content(path);
    auto const whole = spool::read_segment(bytes).frames.at(0);
    using Change = std::function<void(spool::AnswerFrame&)>;
    std::vector<Change> const changes{[](auto& f) { f.identity.kind = SpoolKind::login; },
                                      [](auto& f) { f.identity.connection = "con_2"; },
                                      [](auto& f) { f.identity.family += 1; },
                                      [](auto& f) { f.identity.generation += 1; },
                                      [](auto& f) { f.identity.attempt = "try-2"; },
                                      [](auto& f) { f.received_at += Seconds(3600); }};
    for (auto const& change : changes) {
        auto answer = *whole.answer;
        change(answer);
        overwrite(path, 0, spool::write_frame(whole.seq, answer) + std::string(16, '\0'));
        reopen();
        EXPECT_THAT(unresolved(), ::testing::IsEmpty());
        spool_.reset();
    }
    overwrite(path, 0, bytes.substr(0, 1024));
    reopen();
    EXPECT_THAT(unresolved(), ::testing::ElementsAre("1=answer"));
}

TEST_F(SpoolTest, a_torn_tail_costs_only_what_was_never_confirmed) {
    ASSERT_TRUE(append("1"));
    ASSERT_TRUE(append("2"));
    spool_.reset();
    auto const path = files().front();
    auto const bytes = content(path);
    auto const end = bytes.find_last_not_of('\0') + 1;
    std::size_t const first_end =
        spool::write_frame(1, *spool::read_segment(bytes).frames.at(0).answer).size();
    // Cut at every byte of the second entry: the first always comes back, and nothing throws.
    for (std::size_t cut = first_end; cut < end; cut += 7) {
        overwrite(path, cut, std::string(end - cut, '\0'));
        reopen();
        EXPECT_THAT(unresolved(), ::testing::ElementsAre("1=answer")) << cut;
        spool_.reset();
        overwrite(path, first_end, bytes.substr(first_end, end - first_end));
    }
    std::filesystem::resize_file(path, end - 1);
    reopen();
    EXPECT_THAT(unresolved(), ::testing::ElementsAre("1=answer"));
}

TEST_F(SpoolTest, a_damaged_entry_does_not_hide_those_behind_it) {
    ASSERT_TRUE(append("1"));
    ASSERT_TRUE(append("2"));
    spool_.reset();
    auto const path = files().front();
    overwrite(path, spool::frame_head_bytes + 60, "damage");
    reopen();
    EXPECT_THAT(unresolved(), ::testing::ElementsAre("2=answer"));
    EXPECT_EQ(files(".damaged").size(), 1U) << "kept for whoever can make sense of it";
}

TEST_F(SpoolTest, segments_go_when_all_in_them_is_settled_for_a_while) {
    std::string const large(100 * 1024, 'x');
    std::vector<std::uint64_t> seqs;
    for (int i = 0; i < 7; ++i) {
        seqs.push_back(append(std::to_string(i), large).value());
    }
    auto const before = files().size();
    EXPECT_GE(before, 3U);
    for (auto const seq : seqs) {
        if (seq != seqs[3]) {
            spool_->committed(seq, now);
        }
    }
    spool_->trim(now + std::chrono::minutes(15) - Milliseconds(1));
    EXPECT_EQ(files().size(), before) << "an asynchronous copy of the database may be behind";
    spool_->trim(now + std::chrono::minutes(15));
    EXPECT_LT(files().size(), before);
    reopen();
    // A neighbour whose note is gone is told again: the database knows it.
    EXPECT_THAT(unresolved(), ::testing::Contains("3=" + large));
    for (auto const seq : seqs) {
        spool_->committed(seq, now);
    }
    spool_->trim(now + std::chrono::hours(1));
    EXPECT_THAT(files(), ::testing::IsEmpty());
}

// Or a quiet gateway would keep a deleted connection's answers for weeks.
TEST_F(SpoolTest, a_segment_with_room_goes_too_when_it_is_old) {
    auto const first = append("1");
    spool_->committed(*first, now);
    auto const open_answer = append("2");
    spool_->trim(now + std::chrono::minutes(15));
    EXPECT_EQ(files().size(), 1U) << "the second is not in the database yet";
    auto const third = append("3");
    EXPECT_EQ(files().size(), 2U) << "what is new goes elsewhere";
    spool_->committed(*open_answer, now + std::chrono::minutes(20));
    spool_->trim(now + std::chrono::minutes(35));
    EXPECT_EQ(files().size(), 1U);
    reopen();
    EXPECT_THAT(unresolved(), ::testing::ElementsAre("3=answer"));
    spool_->committed(*third, now);
    spool_->trim(now + std::chrono::hours(1));
    EXPECT_THAT(files(), ::testing::IsEmpty());
}

TEST_F(SpoolTest, room_that_was_promised_outlives_the_segment_it_was_in) {
    auto const first = append("1");
    spool_->committed(*first, now);
    auto room = spool_->reserve();
    ASSERT_TRUE(room);
    spool_->trim(now + std::chrono::minutes(15));
    EXPECT_EQ(files().size(), 1U) << "another stands ready for it";
    EXPECT_TRUE(run_task(
        spool_->append(std::move(*room), identity_of("2"), now, Secret::copy_of("answer"))));
}

TEST_F(SpoolTest, answers_are_counted_by_key_and_a_new_key_begins_a_new_segment) {
    using Counts = std::map<std::uint32_t, std::uint64_t>;
    ASSERT_TRUE(append("1"));
    auto const second = append("2");
    EXPECT_EQ(spool_->count_by_key(), (Counts{{3, 2}}));
    keys_.id = 8;
    ASSERT_TRUE(append("3"));
    EXPECT_EQ(spool_->count_by_key(), (Counts{{3, 2}, {8, 1}}));
    EXPECT_EQ(files().size(), 2U);
    reopen();
    EXPECT_EQ(spool_->count_by_key(), (Counts{{3, 2}, {8, 1}}));
    spool_->committed(*second - 1, now);
    spool_->committed(*second, now);
    spool_->trim(now + std::chrono::minutes(15));
    EXPECT_EQ(spool_->count_by_key(), (Counts{{8, 1}}));
}

TEST_F(SpoolTest, a_restart_keeps_what_was_committed_just_now) {
    auto const first = append("1");
    spool_->committed(*first, now);
    reopen();
    EXPECT_EQ(files().size(), 1U);
    spool_->trim(now + std::chrono::minutes(16));
    EXPECT_THAT(files(), ::testing::IsEmpty());
}

TEST_F(SpoolTest, a_segment_of_an_earlier_run_keeps_what_it_holds_and_no_room) {
    ASSERT_TRUE(append("1"));
    EXPECT_EQ(std::filesystem::file_size(files().front()), small_segment);
    reopen();
    ASSERT_EQ(files().size(), 1U);
    EXPECT_LT(std::filesystem::file_size(files().front()), 1024U);
    ASSERT_TRUE(append("2"));
    reopen();
    EXPECT_EQ(unresolved(), (std::vector<std::string>{"1=answer", "2=answer"}));
}

TEST_F(SpoolTest, room_is_promised_in_whole_answers) {
    std::string const largest(spool::frame_bytes_max - 1024, 'x');
    std::vector<std::shared_ptr<Spool::Reservation>> held;
    for (int i = 0; i < 7; ++i) {
        held.push_back(spool_->reserve().value());
    }
    EXPECT_EQ(files().size(), 3U) << "three places a segment";
    for (int i = 0; i < 7; ++i) {
        auto const kept =
            run_task(spool_->append(held[static_cast<std::size_t>(i)],
                                    identity_of(std::to_string(i)), now, Secret::copy_of(largest)));
        ASSERT_TRUE(kept);
    }
    EXPECT_EQ(files().size(), 3U) << "nothing was left to be found when the answers came";
    held.clear();
    auto const too_large = append("8", std::string(spool::frame_bytes_max, 'x'));
    ASSERT_FALSE(too_large);
    EXPECT_EQ(too_large.error().code(), ErrorCode::spool_full);
}

TEST_F(SpoolTest, a_promise_that_is_given_back_is_free_again) {
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(spool_->reserve());
    }
    EXPECT_EQ(files().size(), 1U);
    auto held = spool_->reserve().value();
    spool_.reset();
    held.reset();  // after the spool: must not touch it
}

TEST_F(SpoolTest, a_disk_that_does_not_confirm_is_not_believed) {
    auto const first = append("1");
    ASSERT_TRUE(first);
    disk().break_next_sync();
    auto const refused = append("2");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::spool_full);
    auto const again = append("2");
    ASSERT_TRUE(again) << "the caller still has the answer and tries again";
    EXPECT_EQ(files().size(), 2U) << "a file whose sync failed is never written to again";
    spool_->committed(*first, now);
    spool_->committed(*again, now);
    spool_->trim(now + std::chrono::minutes(15));
    EXPECT_THAT(files(), ::testing::IsEmpty()) << "and nothing holds on to it";
}

Task<void> append_and_count(Task<Result<std::uint64_t>> append, int& kept) {
    auto const done = co_await std::move(append);
    kept += done ? 1 : 0;
}

TEST_F(SpoolTest, answers_that_wait_share_one_sync) {
    boost::asio::io_context context(1);
    int kept = 0;
    auto const start = [&](int name) {
        boost::asio::co_spawn(context,
                              append_and_count(append_task(std::to_string(name), "x"), kept),
                              boost::asio::detached);
    };
    disk().hold();
    start(0);
    context.poll();
    disk().wait_for_sync();
    for (int i = 1; i <= 50; ++i) {
        start(i);
    }
    context.poll();
    EXPECT_EQ(kept, 0) << "nobody is told before the disk has confirmed";
    disk().go_on();
    context.run();
    EXPECT_EQ(kept, 51);
    EXPECT_EQ(disk().syncs(), 2);
    reopen();
    EXPECT_EQ(unresolved().size(), 51U);
}

TEST_F(SpoolTest, T80_links_and_open_folders_are_refused) {
    ASSERT_TRUE(append("1"));
    auto const path = files().front();
    spool_.reset();
    std::filesystem::rename(path, folder_ / "elsewhere");
    std::filesystem::create_symlink(folder_ / "elsewhere", path);
    auto refused = open();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::data_folder_invalid);
    std::filesystem::remove(path);
    chmod((folder_ / "spool").c_str(), 0755);
    refused = open();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("chmod 700"));
    std::filesystem::remove_all(folder_ / "spool");
    std::filesystem::create_directory(folder_ / "real");
    std::filesystem::create_symlink(folder_ / "real", folder_ / "spool");
    EXPECT_FALSE(open());
}

TEST_F(SpoolTest, T80_its_files_are_its_owners_alone) {
    mode_t const before = umask(0);
    ASSERT_TRUE(append("1"));
    umask(before);
    struct stat about{};
    ASSERT_EQ(stat((folder_ / "spool").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0700U);
    ASSERT_EQ(stat(files().front().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0600U);
    EXPECT_EQ(about.st_size, static_cast<off_t>(small_segment));
    EXPECT_GE(about.st_blocks * 512, static_cast<off_t>(small_segment)) << "really there";
}

// --- in a process of their own ---

class SpoolChild : public SpoolTest {
 protected:
    void SetUp() override {
        char const* const path = std::getenv("BRICKGATE_TEST_PATH");
        if (!path) {
            GTEST_SKIP() << "is run by another test";
        }
        auto opened = open_spool({path, "node_a", small_segment}, keys_, random_);
        ASSERT_TRUE(opened);
        spool_ = std::move(*opened);
    }
};

TEST_F(SpoolChild, DISABLED_appends_three) {
    for (auto const* name : {"1", "2", "3"}) {
        ASSERT_TRUE(append(name));
    }
}

TEST_F(SpoolTest, K9_an_answer_that_was_confirmed_survives_kill_9) {
    spool_.reset();
    int const status = run_child("SpoolChild.DISABLED_appends_three",
                                 {{"BRICKGATE_TEST_PATH", (folder_ / "spool").string()},
                                  {"__brickgate_failpoint", "K9:kill@2"}});
    ASSERT_TRUE(was_killed(status)) << status;
    reopen();
    EXPECT_THAT(unresolved(), ::testing::ElementsAre("1=answer", "2=answer"));
}

TEST_F(SpoolChild, DISABLED_meets_a_full_disk) {
    std::signal(SIGXFSZ, SIG_IGN);
    auto held = spool_->reserve();
    ASSERT_TRUE(held);
    rlimit const limit{4096, RLIM_INFINITY};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    std::vector<std::shared_ptr<Spool::Reservation>> more;
    more.push_back(spool_->reserve().value());
    more.push_back(spool_->reserve().value());
    auto const refused = spool_->reserve();
    ASSERT_FALSE(refused) << "refused before the claim, not when the answer comes";
    EXPECT_EQ(refused.error().code(), ErrorCode::spool_full);
    rlimit const open_again{RLIM_INFINITY, RLIM_INFINITY};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &open_again), 0);
    EXPECT_TRUE(run_task(
        spool_->append(*held, identity_of("1"), now, Secret::copy_of("kept all the same"))));
    EXPECT_TRUE(spool_->reserve());
}

TEST_F(SpoolTest, a_full_disk_refuses_the_promise) {
    spool_.reset();
    int const status = run_child("SpoolChild.DISABLED_meets_a_full_disk",
                                 {{"BRICKGATE_TEST_PATH", (folder_ / "spool").string()}});
    ASSERT_TRUE(went_well(status)) << status;
    reopen();
    EXPECT_THAT(unresolved(), ::testing::ElementsAre("1=kept all the same"));
}

TEST(SpoolFormat, frames_come_back_as_they_were_written) {
    spool::AnswerFrame const answer{
        {SpoolKind::login, "attempt", 1, 2, "try"}, now, std::string("record\0", 7)};
    auto const bytes = spool::write_frame(5, answer) + spool::write_frame(6, spool::NoteFrame{5}) +
                       std::string(100, '\0');
    auto const segment = spool::read_segment(bytes);
    EXPECT_FALSE(segment.torn);
    EXPECT_EQ(segment.damaged, 0U);
    ASSERT_EQ(segment.frames.size(), 2U);
    EXPECT_EQ(segment.frames[0].seq, 5U);
    EXPECT_EQ(segment.frames[0].answer->record, answer.record);
    EXPECT_EQ(segment.frames[0].answer->identity.kind, SpoolKind::login);
    EXPECT_EQ(segment.frames[1].note->committed, 5U);
    EXPECT_TRUE(spool::read_segment("").frames.empty());
}

TEST(SpoolFormat, any_flipped_bit_is_noticed) {
    spool::AnswerFrame const answer{{SpoolKind::refresh, "con_1", 1, 2, "try"}, now, "record"};
    auto const frame = spool::write_frame(5, answer);
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
        auto harmed = frame;
        harmed[bit / 8] = static_cast<char>(harmed[bit / 8] ^ (1 << bit % 8));
        auto const segment = spool::read_segment(harmed + std::string(64, '\0'));
        EXPECT_TRUE(segment.frames.empty()) << bit;
        EXPECT_TRUE(segment.torn) << bit;
    }
}

}  // namespace
}  // namespace brickgate::testing
