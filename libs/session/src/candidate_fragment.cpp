// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/fragment.hpp>
#include <stile/sdp/ice_attributes.hpp>
#include <stile/session/candidate_fragment.hpp>
#include <stile/session/path_description.hpp>

#include <algorithm>

namespace stile::session {

std::string write_fragment(const connect::Description& path, std::string_view mid) {
    sdp::IceFragment fragment;
    sdp::IceFragment::Section& section = fragment.sections.emplace_back();
    section.mid = mid;
    // Our descriptions have the credentials in the section, and here they MUST be at the same
    // level; the mid MUST come directly before the candidates, so the credentials follow them.
    for (const ice::Candidate& candidate : path.candidates) {
        section.attributes.add(to_sdp(candidate, path.concealment));
    }
    if (path.gathering == connect::Gathering::Complete) {
        section.attributes.add(sdp::EndOfCandidates{});
    }
    section.attributes.add(sdp::IceUfrag{path.credentials.fragment});
    section.attributes.add(sdp::IcePwd{path.credentials.password});
    return fragment.serialize();
}

std::expected<connect::Description, FragmentFault> read_fragment(std::string_view text,
                                                                 const ice::Credentials& current,
                                                                 std::string_view mid) {
    const auto fragment = sdp::IceFragment::parse(text);
    if (!fragment) return std::unexpected(FragmentFault::Malformed);
    const auto section =
        std::ranges::find(fragment->sections, mid, &sdp::IceFragment::Section::mid);
    const bool is_named = section != fragment->sections.end();
    // At which level the credentials stand is the sender's choice. RFC 8840 Section 9.2.
    const auto has_own = [&](std::string_view name) {
        return is_named && section->attributes.has(name);
    };
    const auto ufrag = has_own(sdp::IceUfrag::name) ? section->attributes.get<sdp::IceUfrag>()
                                                    : fragment->attributes.get<sdp::IceUfrag>();
    const auto pwd = has_own(sdp::IcePwd::name) ? section->attributes.get<sdp::IcePwd>()
                                                : fragment->attributes.get<sdp::IcePwd>();
    const bool ended_all = fragment->attributes.has(sdp::EndOfCandidates::name);
    if (!is_named && !ended_all) return std::unexpected(FragmentFault::OtherSection);
    if (!ufrag || !pwd || ufrag->text != current.fragment || pwd->text != current.password) {
        return std::unexpected(FragmentFault::OtherGeneration);
    }
    connect::Description path;
    path.credentials = current;
    if (ended_all) path.gathering = connect::Gathering::Complete;
    if (!is_named) return path;
    for (const sdp::Candidate& candidate : section->attributes.all<sdp::Candidate>()) {
        take_candidate(candidate, path);
    }
    if (section->attributes.has(sdp::EndOfCandidates::name)) {
        path.gathering = connect::Gathering::Complete;
    }
    return path;
}

}  // namespace stile::session
