import FoundationEssentials
package import HTTP
import Inference

/// The parts of an InvokeEndpoint request other than its image.
package struct InvocationDetails: Sendable {
  /// The variant that the client asks for; nil: chosen by weight.
  package var targetVariant: String?
  /// Returned to the client and captured, otherwise unused.
  package var customAttributes: String?
  /// Captured, otherwise unused.
  package var inferenceID: String?
  package var contentType = "application/x-image"
  package init() {}
}

/// The response of an endpoint to one image.
package struct Invocation: Sendable {
  package let probabilities: [Float]
  /// The class name of each probability; nil if the model has none.
  package let classes: [String]?
  /// The name of the variant that answered.
  package let variant: String
  package let body: [UInt8]
  package let contentType: String
  fileprivate let afterwards: @Sendable () -> Void

  /// Must be called exactly once, after the response has been sent; starts shadow comparison and data capture.
  package func isOnItsWay() { afterwards() }
}

extension EndpointFleet {
  /// Classifies one image with a variant of the endpoint.
  ///
  /// - Parameter client: if the client disconnects before the image is processed, the image is dropped.
  /// - Throws: `EndpointError` if there is no such endpoint or variant, or the endpoint is still loading;
  ///   `ImageRequest.Refusal` if the image cannot be classified.
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
      variant.count(error)
      throw error
    }
    let time = ContinuousClock.now - start
    variant.statistics.update { counts in
      counts.answered += 1
      counts.latency.record(time)
    }
    variant.meters.answered(in: time)
    let body = received.format.text(probabilities, classes: variant.queue.classifier.classes)
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

extension LiveVariant {
  fileprivate func count(_ refusal: ImageRequest.Refusal) {
    switch refusal.reason {
    case .client, .gone:
      statistics.update { $0.clientErrors += 1 }
      meters.count(.clientError)
    case .model, .late:
      statistics.update { $0.serverErrors += 1 }
      meters.count(.modelError)
    case .busy:
      statistics.update { $0.refused += 1 }
      meters.count(.refused)
    }
  }
}
