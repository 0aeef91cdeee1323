// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shared_folder.hpp"

#include <stile/crypto/digest.hpp>
#include <stile/drivers/worker.hpp>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::peer {

// Requires: a hasher of SHA-256.
http::ContentDigest finish_digest(crypto::Hasher& hasher);

// SHA-256 digests of shared files: those that are known, and those that are being computed.
class FileDigests {
public:
    // Files that were asked for lately; a digest and a path each.
    static constexpr std::size_t most_known = 4096;
    // Files that are being digested or wait for it: each is open and takes the disk's time.
    static constexpr std::size_t most_jobs = 4;

    // A file that is being digested. It is given up when nobody holds this any more.
    class Job {
    public:
        Job(std::string path, const http::FileFacts& facts)
            : path_(std::move(path)), facts_(facts) {}
        Job(const Job&) = delete;
        Job& operator=(const Job&) = delete;
        ~Job() { *unwanted_ = true; }

        bool done() const { return done_; }
        // Empty when it is not done, or when the file changed meanwhile.
        const std::optional<http::ContentDigest>& digest() const { return digest_; }

    private:
        friend class FileDigests;
        std::string path_;
        http::FileFacts facts_;
        bool done_ = false;
        std::optional<http::ContentDigest> digest_;
        std::shared_ptr<std::atomic<bool>> unwanted_ = std::make_shared<std::atomic<bool>>(false);
    };
    using OnDone = std::move_only_function<void(const Job&)>;

    FileDigests(drivers::Loop& loop, OnDone on_done)
        : on_done_(std::move(on_done)), worker_(loop) {}
    FileDigests(const FileDigests&) = delete;
    FileDigests& operator=(const FileDigests&) = delete;
    // Gives up what is under way.
    ~FileDigests();

    std::optional<http::ContentDigest> find(const std::string& path,
                                            const http::FileFacts& facts) const;
    // Requires: that the file had these facts before and after it was read, and that they were
    // settled (a strong http::entity_tag) before.
    void remember(const std::string& path, const http::FileFacts& facts,
                  http::ContentDigest digest);
    // The one job of this file as it is now. Empty when too many are under way. Requires: settled
    // facts, as above.
    std::shared_ptr<const Job> compute(const std::string& path,
                                       const std::shared_ptr<const SharedFile>& file);

private:
    struct Known {
        std::string path;
        http::FileFacts facts;
        http::ContentDigest digest;
    };

    void finish(const std::weak_ptr<Job>& job, std::optional<http::ContentDigest> digest);

    OnDone on_done_;
    std::deque<Known> known_;  // the oldest first
    std::vector<std::weak_ptr<Job>> jobs_;
    std::size_t under_way_ = 0;  // given to the worker, wanted or not
    drivers::Worker worker_;     // last: it must end before the others do
};

}  // namespace stile::peer
