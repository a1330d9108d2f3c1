import FoundationEssentials
package import Hosting
import Inference

/// What a request says beside its image.
package struct InvocationDetails: Sendable {
  package var targetVariant: String?
  package var customAttributes: String?
  package var inferenceID: String?
  package var contentType = "application/x-image"
  package init() {}
}

/// The answer of an endpoint to one image.
package struct Invocation: Sendable {
  package let probabilities: [Float]
  /// A name for each; nil where the model has none.
  package let classes: [String]?
  package let variant: String
  package let body: [UInt8]
  package let contentType: String
  fileprivate let afterwards: @Sendable () -> Void

  /// To be called once, when the answer is on its way: what only watches comes after it.
  package func isOnItsWay() { afterwards() }
}

extension EndpointFleet {
  /// Answers one request.
  ///
  /// - Parameter client: the image is dropped where it goes.
  /// - Throws: `EndpointError`; `ImageRequest.Refusal`.
  package func invoke(
    _ name: String, _ received: ImageRequest, _ details: InvocationDetails, from client: ClientPresence?
  ) async throws -> Invocation {
    let endpoint = try enter(name)
    defer { endpoint.leave() }
    let variant = try endpoint.variant(details.targetVariant, draw: nextDraw())
    let start = ContinuousClock.now
    let probabilities: [Float]
    do throws(ImageRequest.Refusal) {
      probabilities = try await received.classify(
        with: variant.queue, waitingTime: limits.waitingTime, for: client)
    } catch {
      variant.statistics.count(error)
      throw error
    }
    variant.statistics.update { counts in
      counts.answered += 1
      counts.latency.record(.now - start)
    }
    let body = received.format.text(probabilities)
    let contentType = received.format.mediaType
    return Invocation(
      probabilities: probabilities, classes: variant.queue.classifier.classes, variant: variant.plan.name,
      body: body, contentType: contentType
    ) { [image = received.image] in
      self.copy(image, probabilities, of: endpoint, variant)
      self.sample(image, body, contentType, details, of: endpoint, variant)
    }
  }

  private func copy(
    _ image: [UInt8], _ probabilities: [Float], of endpoint: LiveEndpoint, _ variant: LiveVariant
  ) {
    for shadow in endpoint.shadows where nextDraw() < endpoint.share(of: shadow) {
      shadowing.take(
        .init(
          endpoint: endpoint.plan.name, variant: shadow, image: image, production: variant.plan.name,
          probabilities: probabilities))
    }
  }

  private func sample(
    _ image: [UInt8], _ body: [UInt8], _ contentType: String, _ details: InvocationDetails,
    of endpoint: LiveEndpoint, _ variant: LiveVariant
  ) {
    guard let plan = endpoint.plan.capture, plan.isEnabled,
      nextDraw() * 100 < Double(plan.samplingPercentage)
    else { return }
    capture.take(
      CaptureRecord(
        input: plan.capturesInput ? .init(contentType: details.contentType, data: image) : nil,
        output: plan.capturesOutput ? .init(contentType: contentType, data: body) : nil,
        customAttributes: details.customAttributes, inferenceID: details.inferenceID,
        eventID: UUID().uuidString.lowercased(), time: Date()),
      plan, endpoint: endpoint.plan.name, variant: variant.plan.name)
  }
}

extension VariantStatistics {
  fileprivate func count(_ refusal: ImageRequest.Refusal) {
    update { counts in
      switch refusal.reason {
      case .client, .gone: counts.clientErrors += 1
      case .model, .late: counts.serverErrors += 1
      case .busy: counts.refused += 1
      }
    }
  }
}
