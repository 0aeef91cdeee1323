// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Candidates after the descriptions, both ways. RFC 8838; RFC 8840 Section 4.4.
#include <stile/base/assert.hpp>
#include <stile/sdp/limits.hpp>
#include <stile/session/http_session.hpp>

#include <algorithm>
#include <utility>

namespace stile::session {
namespace {

// "considered to be equal if their IP address port, transport, and component ID are the same"
bool is_same(const ice::Candidate& left, const ice::Candidate& right) {
    return left.address == right.address && left.transport == right.transport &&
           left.component == right.component;
}

}  // namespace

// ---- ours --------------------------------------------------------------------------------------

void HttpSession::note_candidates() {
    // After its end nothing may follow (RFC 8838 Section 13), nor after the nomination.
    if (told_gathering_ == connect::Gathering::Complete) return;
    const connect::Description& local = path_.local_description();
    const auto is_in = [](const std::vector<ice::Candidate>& list, const ice::Candidate& one) {
        return std::ranges::any_of(list, [&](const ice::Candidate& each) {
            return is_same(each, one) && each.base == one.base && each.type == one.type;
        });
    };
    // What the peer was told of keeps its place, also when it is gone.
    const auto untold = candidates_.begin() + static_cast<std::ptrdiff_t>(told_);
    candidates_.erase(
        std::remove_if(untold, candidates_.end(),
                       [&](const auto& one) { return !is_in(local.candidates, one); }),
        candidates_.end());
    if (path_.state() != ice::State::Completed) {
        for (const ice::Candidate& one : local.candidates) {
            if (!is_in(candidates_, one)) candidates_.push_back(one);
        }
    }
    gathering_ = local.gathering;
}

connect::Description HttpSession::told_path() const {
    connect::Description told = path_.local_description();
    told.candidates = candidates_;
    told.gathering = gathering_;
    return told;
}

std::optional<std::string> HttpSession::poll_fragment() {
    if (fragments_ == Fragments::NotTaken || !section_ || description_deadline_ || failed_ ||
        agreement_ == Agreement::Open) {
        return std::nullopt;
    }
    note_candidates();
    const bool is_news = told_ != candidates_.size() || told_gathering_ != gathering_;
    if (!is_news && lost_ == Lost::No) return std::nullopt;
    note_told();
    return write_fragment(told_path(), mid_);
}

void HttpSession::note_told() {
    told_ = candidates_.size();
    told_gathering_ = gathering_;
    lost_ = Lost::No;
}

bool HttpSession::waits_for_candidates() const {
    if (section_ && said_) return fragments_ == Fragments::NotTaken;
    return config_.part == Part::Offerer ? config_.trickling == Trickling::Half
                                         : fragments_ == Fragments::NotTaken;
}

void HttpSession::wait_for_candidates(Instant now) {
    STILE_ASSERT(config_.part == Part::Offerer && !section_);
    config_.trickling = Trickling::Half;
    description_.reset();
    said_.reset();
    await_description(now, DescriptionKind::Offer);
    see(now);
}

// ---- the peer's --------------------------------------------------------------------------------

std::expected<void, FragmentFault> HttpSession::handle_fragment(Instant now,
                                                                std::string_view fragment) {
    const auto keep = [&]() -> std::expected<void, FragmentFault> {
        // It cannot be judged yet. Each repeats what the ones before it said, so the last is
        // enough.
        if (fragment.size() <= sdp::limits::description_octets) early_fragment_ = fragment;
        return {};
    };
    if (!section_) return keep();
    const auto later = read_fragment(fragment, remote_, mid_);
    if (agreement_ == Agreement::Open) {
        // We have restarted. What fits the peer's old credentials is too late, other ones may have
        // overtaken the answer.
        if (later) return std::unexpected(FragmentFault::OtherGeneration);
        if (later.error() == FragmentFault::OtherGeneration) return keep();
    }
    if (!later) return std::unexpected(later.error());
    add_remote(now, *later);
    return {};
}

void HttpSession::add_remote(Instant now, const connect::Description& later) {
    for (const ice::Candidate& candidate : later.candidates) {
        const bool known = std::ranges::any_of(remote_candidates_, [&](const ice::Candidate& each) {
            return is_same(each, candidate);
        });
        if (known || remote_candidates_.size() >= ice::limits::most_remote_candidates) continue;
        remote_candidates_.push_back(candidate);
        (void)path_.add_remote_candidate(now, candidate);
    }
    for (const connect::NamedCandidate& named : later.named) {
        const auto& known = remote_named_;
        if (std::ranges::find(known, named) != known.end()) continue;
        if (known.size() >= connect::limits::most_named) continue;
        remote_named_.push_back(named);
        (void)path_.add_remote_candidate(now, named);
    }
    if (later.gathering == connect::Gathering::Complete) path_.end_of_remote_candidates(now);
    see(now);
}

}  // namespace stile::session
