// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/plan.hpp>

#include <stile/http/date.hpp>
#include <stile/http/method.hpp>

namespace stile::http {

namespace {

constexpr std::string_view allowed = "GET, HEAD, OPTIONS";

Plan answer(Status status, const PlanContext& context) {
    Plan plan;
    plan.response.status = status;
    plan.response.fields.add("date", format_http_date(context.now));
    return plan;
}

// What a 200, a 206 and a 304 say alike. RFC 9110 Section 15.4.5.
void describe(Fields& fields, const ResourceInfo& resource) {
    if (resource.validators.tag) fields.add("etag", resource.validators.tag->to_string());
    if (resource.validators.modified) {
        fields.add("last-modified", format_http_date(*resource.validators.modified));
    }
    for (const Field& field : resource.extra) fields.add(field.name, field.value);
}

void describe_representation(Fields& fields, const ResourceInfo& resource) {
    describe(fields, resource);
    fields.add("accept-ranges", "bytes");
    // Of the whole representation, whatever part of it is sent. RFC 9530 Section 3.
    if (resource.digest) {
        fields.add(field_name(DigestField::Representation), format_digests({*resource.digest}));
    }
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
    return ContentRange{.range = range, .complete = size}.to_string();
}

// RFC 9110 Section 15.3.7.2.
void plan_parts(Plan& plan, const std::vector<ByteRange>& ranges, const ResourceInfo& resource,
                std::string_view boundary) {
    const std::string delimiter = "--" + std::string{boundary};
    for (const ByteRange& range : ranges) {
        std::string head = plan.parts.empty() ? delimiter : "\r\n" + delimiter;
        head += "\r\ncontent-type: " + resource.media_type +
                "\r\ncontent-range: " + content_range(range, resource.size) + "\r\n\r\n";
        plan.parts.push_back({.head = std::move(head), .range = range});
    }
    plan.tail = "\r\n" + delimiter + "--\r\n";
    plan.response.fields.add("content-type",
                             "multipart/byteranges; boundary=" + std::string{boundary});
}

// The ranges to send; empty for the whole representation; an error is a 416.
std::expected<std::vector<ByteRange>, Status> wanted_ranges(const PlanContext& context,
                                                            const Request& request,
                                                            const ResourceInfo& resource) {
    // GET is the only method that has ranges. RFC 9110 Section 14.2. An empty representation is
    // sent whole (a server MAY ignore Range then): no player is told that it cannot be had.
    const auto value = request.fields.get("range");
    if (request.method != method::get || !value || request.fields.count("range") != 1 ||
        resource.size == 0) {
        return {};
    }
    if (!if_range_holds(request.fields, resource.validators, context.now)) return {};
    const auto specs = parse_range(*value);
    if (!specs) return {};
    auto ranges = satisfiable(*specs, resource.size);
    if (ranges.empty()) return std::unexpected(Status::RangeNotSatisfiable);
    return ranges;
}

Plan plan_representation(const PlanContext& context, const Request& request,
                         const ResourceInfo& resource) {
    const auto ranges = wanted_ranges(context, request, resource);
    if (!ranges) {
        Plan plan = answer(ranges.error(), context);
        plan.response.fields.add(
            "content-range",
            ContentRange{.range = std::nullopt, .complete = resource.size}.to_string());
        plan.response.fields.add("accept-ranges", "bytes");
        return plan;
    }
    Plan plan;
    Fields& fields = plan.response.fields;
    fields.add("date", format_http_date(context.now));
    describe_representation(fields, resource);
    if (ranges->size() > 1) {
        plan.response.status = Status::PartialContent;
        plan_parts(plan, *ranges, resource, context.boundary);
    } else {
        fields.add("content-type", resource.media_type);
        if (ranges->size() == 1) {
            plan.response.status = Status::PartialContent;
            fields.add("content-range", content_range(ranges->front(), resource.size));
            plan.parts.push_back({.head = {}, .range = ranges->front()});
        } else if (resource.size > 0) {
            plan.parts.push_back({.head = {}, .range = {.first = 0, .last = resource.size - 1}});
        }
    }
    fields.add("content-length", std::to_string(plan.content_size()));
    if (request.method == method::head) plan.parts.clear();
    return plan;
}

}  // namespace

std::uint64_t Plan::content_size() const {
    std::uint64_t size = tail.size();
    for (const Part& part : parts) size += part.head.size() + part.range.size();
    return size;
}

Plan decide(const PlanContext& context, const Request& request, const ResourceInfo& resource) {
    if (!method::is_known(request.method)) return answer(Status::NotImplemented, context);
    if (request.method == method::options) {
        Plan plan = answer(Status::NoContent, context);
        plan.response.fields.add("allow", allowed);
        plan.response.fields.add("accept-ranges", "bytes");
        return plan;
    }
    if (request.method != method::get && request.method != method::head) {
        Plan plan = answer(Status::MethodNotAllowed, context);
        plan.response.fields.add("allow", allowed);
        return plan;
    }
    switch (evaluate_preconditions(request.method, request.fields, Existence::Present,
                                   resource.validators, context.now)) {
        case Precondition::Failed:
            return answer(Status::PreconditionFailed, context);
        case Precondition::NotModified: {
            Plan plan = answer(Status::NotModified, context);
            describe(plan.response.fields, resource);
            return plan;
        }
        case Precondition::Met:
            break;
    }
    return plan_representation(context, request, resource);
}

}  // namespace stile::http
