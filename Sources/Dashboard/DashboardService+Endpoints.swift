import Endpoints
import HTTP
import HTTPTypes
import HummingbirdCore
import Inference
import Reporting

extension DashboardService {
  func endpoints() async throws -> SitePage {
    var page = sitePage("Endpoints", in: .endpoints)
    let stored = try await source.endpoints()
    let live = fleet.summaries
    page.sections = [
      Section(
        "endpoints", "All endpoints",
        [
          live.isEmpty && stored.isEmpty
            ? Block.text("No endpoints yet. Create one with boto3's create_endpoint.")
            : endpointTable(live, stored)
        ])
    ]
    return page
  }

  /// The table of endpoints: those in service, then those that are only in the store. Nil if there are none.
  func endpointTable(_ live: [EndpointSummary], _ stored: [EndpointView]) -> Node? {
    var table = Table(
      "endpoints-table", "Endpoints", text: ["Name", "State", "Variants"],
      numbers: ["Answered", "Errors", "Refused", "Median", "99 %"])
    for endpoint in live {
      let real = endpoint.variants.filter { !$0.isShadow }
      // The latencies shown for an endpoint are those of its busiest variant.
      let busiest = real.max { $0.latency.count < $1.latency.count }
      table.add([
        Cell.head(endpoint.name, href: Self.address("endpoints", endpoint.name)),
        Cell.state(endpoint.state.rawValue, Self.mood(endpoint.state.rawValue)),
        Cell.text(
          endpoint.variants.map { $0.name + ($0.isShadow ? " (shadow)" : "") }.joined(separator: ", ")),
        Cell.number(real.reduce(0) { $0 + $1.answered }),
        Cell.number(real.reduce(0) { $0 + $1.clientErrors + $1.serverErrors }),
        Cell.number(real.reduce(0) { $0 + $1.refused }),
        Cell.number(Self.milliseconds(busiest?.latency.quantile(0.5))),
        Cell.number(Self.milliseconds(busiest?.latency.quantile(0.99))),
      ])
    }
    let known = Set(live.map(\.name))
    for endpoint in stored where !known.contains(endpoint.name) {
      table.add(
        [
          Cell.head(endpoint.name, href: Self.address("endpoints", endpoint.name)),
          Cell.state(endpoint.status, Self.mood(endpoint.status)),
          Cell.text(endpoint.failureReason ?? endpoint.configuration),
        ] + (0..<5).map { _ in Cell.number("–") })
    }
    return Block.table(table)
  }

  func endpoint(_ name: String) async throws -> SitePage {
    let stored = try await source.endpoints().first { $0.name == name }
    let summary = fleet.summary(of: name)
    guard stored != nil || summary != nil else { throw PageError.missing("endpoint", name) }
    var page = sitePage(name, in: .endpoints)
    page.trail = [("Endpoints", "/-/endpoints")]
    let status = summary?.state.rawValue ?? stored?.status ?? ""
    page.state = (status, Self.mood(status))
    if let reason = stored?.failureReason, !reason.isEmpty { page.notice = (reason, false) }
    page.addFact("Configuration", stored?.configuration ?? summary?.configurationName)
    page.addFact("Created", stored.map { Self.time($0.created) + " UTC" })
    guard let summary, !summary.variants.isEmpty else { return page }
    if let capture = summary.capture, capture.isEnabled {
      page.addFact(
        "Captured", "\(capture.samplingPercentage) % to \(capture.destination)",
        href: Self.objectAddress(capture.destination + "/"))
    }
    page.sections.append(try tryOutSection(summary))
    page.sections.append(Section("variants", "Variants", [variantTable(summary)]))
    if let table = shadowTable(summary) {
      page.sections.append(
        Section(
          "shadows", "Shadow variants",
          lead: "They get copies of requests; their answers are compared with production and never returned.",
          [table]))
    }
    return page
  }

  private func variantTable(_ summary: EndpointSummary) -> Node? {
    var table = Table(
      "variants-table", "Since each variant came into service", text: ["Variant", "Model"],
      numbers: [
        "Weight", "Answered", "Client errors", "Model errors", "Refused", "Waiting", "Median", "90 %", "99 %",
        "Maximum",
      ])
    for variant in summary.variants where !variant.isShadow {
      table.add([
        Cell.head(variant.name), Cell.text(variant.model), Cell.number("\(variant.weight)"),
        Cell.number(variant.answered), Cell.number(variant.clientErrors), Cell.number(variant.serverErrors),
        Cell.number(variant.refused), Cell.number(variant.waiting),
        Cell.number(Self.milliseconds(variant.latency.quantile(0.5))),
        Cell.number(Self.milliseconds(variant.latency.quantile(0.9))),
        Cell.number(Self.milliseconds(variant.latency.quantile(0.99))),
        Cell.number(Self.milliseconds(variant.latency.count > 0 ? variant.latency.longest : nil)),
      ])
    }
    return Block.table(table)
  }

  private func shadowTable(_ summary: EndpointSummary) -> Node? {
    var table = Table(
      "shadows-table", "Compared with production", text: ["Variant", "Model"],
      numbers: [
        "Weight", "Compared", "Same top class", "Largest difference", "Failed", "Dropped", "Median",
      ])
    for variant in summary.variants where variant.isShadow {
      let shadow = variant.shadow
      table.add([
        Cell.head(variant.name), Cell.text(variant.model), Cell.number("\(variant.weight)"),
        Cell.number(shadow.compared),
        Cell.percent(shadow.compared > 0 ? Double(shadow.agreed) / Double(shadow.compared) : nil),
        Cell.decimal(shadow.compared > 0 ? Double(shadow.largestDifference) : nil),
        Cell.number(shadow.failed), Cell.number(shadow.dropped),
        Cell.number(Self.milliseconds(variant.latency.quantile(0.5))),
      ])
    }
    return Block.table(table)
  }

  private func tryOutSection(_ summary: EndpointSummary, result: [Node] = []) throws -> Section {
    let variants = summary.variants.filter { !$0.isShadow }.map(\.name)
    var fields = [
      Block.Field(
        "image", "An image", .file(accept: "image/jpeg,image/png", isRequired: true),
        hint: "JPEG or PNG, at most 6 MiB. You can drop a file here.")
    ]
    if variants.count > 1 { fields.append(.init("variant", "Variant", .choice([""] + variants))) }
    let form = Block.form(
      "try-form", to: Self.address("endpoints", summary.name, "try"), button: "Classify", fields)
    return Section("try", "Try it", [result.isEmpty ? form : Block.columns([result, [form]])])
  }

  /// An endpoint's page with its predictions for an uploaded image.
  func tryOut(_ name: String, _ request: Request, _ client: ClientPresence?) async throws -> SitePage {
    let form = try await form(request, limit: RuntimeService.bodyLimit + 65_536)
    guard let image = form.file("image") else { throw PageError(.badRequest, "No image was chosen.") }
    guard image.bytes.count <= RuntimeService.bodyLimit else {
      throw PageError(
        .contentTooLarge, "The image is larger than 6 MiB, the limit for a request to an endpoint.")
    }
    var page = try await endpoint(name)
    guard let summary = fleet.summary(of: name) else {
      throw PageError.missing("endpoint in service named", name)
    }
    var details = InvocationDetails()
    details.targetVariant = form.text("variant")
    do {
      let start = ContinuousClock.now
      let invocation = try await fleet.invoke(
        name, ImageRequest(image: image.bytes, format: .json), details, from: client)
      invocation.isOnItsWay()
      let time = ContinuousClock.now - start
      let result = try await result(invocation, image, time)
      page.sections[0] = try tryOutSection(summary, result: result)
    } catch let refusal as ImageRequest.Refusal {
      page.notice = (refusal.sentence, false)
    } catch let error as EndpointError {
      page.notice = (error.description, false)
    }
    return page
  }

  private func result(_ invocation: Invocation, _ image: MultipartForm.Part, _ time: Duration) async throws
    -> [Node]
  {
    var options = ThumbnailOptions()
    options.longestSide = 220
    let picture = try await painting.run { [options] in Thumbnail(of: image.bytes, options)?.jpeg }
    let order = invocation.probabilities.indices.sorted {
      let (a, b) = (invocation.probabilities[$0], invocation.probabilities[$1])
      return a > b || (a == b && $0 < $1)
    }
    var table = Table("answer-table", "The most probable classes", text: ["Class"], numbers: ["Probability"])
    for index in order.prefix(5) {
      let name = invocation.classes.flatMap { index < $0.count ? $0[index] : nil } ?? "class \(index)"
      table.add([Cell.head(name), Cell.share(min(1, max(0, Double(invocation.probabilities[index]))))])
    }
    return [
      picture.map { Block.preview($0, mediaType: "image/jpeg", alt: "The uploaded image") },
      Block.table(table),
      Block.note("Answered by the variant \(invocation.variant) in \(Self.milliseconds(time))."),
    ].compactMap(\.self)
  }
}
