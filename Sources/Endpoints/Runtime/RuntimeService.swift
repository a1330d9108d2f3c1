import Encodings
import FoundationEssentials
package import HTTP
import HTTPTypes
package import HummingbirdCore
import NIOCore

/// SageMaker's runtime API: `POST /endpoints/NAME/invocations`.
package struct RuntimeService: Sendable {
  package let fleet: EndpointFleet
  let account: String
  let region: String
  private let bodies: ReceivedBytes

  /// The largest InvokeEndpoint body, in bytes.
  package static let bodyLimit = 6_291_456

  /// - Parameters:
  ///   - account: the account in ARNs and messages.
  ///   - region: the region in ARNs.
  ///   - bodies: the byte budget that all clients of the server share.
  package init(
    _ fleet: EndpointFleet, account: String = "123456789012", region: String = "us-east-1",
    bodies: ReceivedBytes = ReceivedBytes()
  ) {
    self.fleet = fleet
    self.account = account
    self.region = region
    self.bodies = bodies
  }

  package enum Operation: String, Sendable {
    case invoke = "invocations"
    case invokeAsync = "async-invocations"
    case invokeStream = "invocations-response-stream"
  }

  /// The endpoint and operation that a path names; nil if the path is not part of the runtime API.
  package static func route(_ path: String) -> (endpoint: String, operation: Operation)? {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0].isEmpty, parts[1] == "endpoints",
      let operation = Operation(rawValue: String(parts[3]))
    else { return nil }
    return (percentDecodedText(parts[2]) ?? String(parts[2]), operation)
  }

  /// Answers a request whose path `route` recognized. Errors become responses in the runtime API's format.
  ///
  /// - Throws: errors of the connection.
  package func respond(
    to request: Request, endpoint: String, operation: Operation, from client: ClientPresence?
  ) async throws -> Response {
    var response: Response
    do {
      response = try await answer(request, endpoint, operation, client)
    } catch let error as RuntimeError {
      response = error.response
    } catch let error as EndpointError {
      response = runtimeError(error, endpoint, closing: false).response
    } catch let refusal as ImageRequest.Refusal {
      response = runtimeError(refusal, endpoint).response
    }
    response.headers[.requestID] = UUID().uuidString.lowercased()
    return response
  }

  private func answer(
    _ request: Request, _ endpoint: String, _ operation: Operation, _ client: ClientPresence?
  ) async throws -> Response {
    let details = try check(request, endpoint, operation)
    let received = try await ImageRequest.receive(request, limit: Self.bodyLimit, bodies: bodies)
    defer { received.forget() }
    let invocation = try await fleet.invoke(endpoint, received, details, from: client)
    var headers: HTTPFields = [.contentType: invocation.contentType, .invokedVariant: invocation.variant]
    if let attributes = details.customAttributes { headers[.customAttributes] = attributes }
    let body = ByteBuffer(bytes: invocation.body)
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody(contentLength: body.readableBytes) { writer in
        try await writer.write(body)
        try await writer.finish(nil)
        invocation.isOnItsWay()
      })
  }

  /// Makes all checks that need only the request head.
  private func check(_ request: Request, _ endpoint: String, _ operation: Operation) throws
    -> InvocationDetails
  {
    let closing = request.mayHaveBody
    guard request.method == .post else {
      throw RuntimeError(
        status: .methodNotAllowed, type: "ValidationError",
        message: "\(shown(request.method.rawValue)) is not allowed on this path; use POST", isClosing: closing
      )
    }
    switch operation {
    case .invoke: break
    case .invokeAsync:
      throw RuntimeError.validation(
        "InvokeEndpointAsync is not offered by imrec; InvokeEndpoint answers at once", closing: closing)
    case .invokeStream:
      throw RuntimeError.validation(
        "InvokeEndpointWithResponseStream is not offered by imrec: an image's probabilities are sent at once; use "
          + "InvokeEndpoint", closing: closing)
    }
    for name in [
      "Target-Model", "Target-Container-Hostname", "Inference-Component", "Enable-Explanations", "Session-Id",
    ] {
      if request.headers[.name("X-Amzn-SageMaker-\(name)")] != nil {
        throw RuntimeError.validation(
          "X-Amzn-SageMaker-\(name) is not offered by imrec: a variant has one container with one model",
          closing: closing)
      }
    }
    guard fleet.live(endpoint) != nil else {
      throw runtimeError(
        fleet.isChanging(endpoint)
          ? EndpointError(.notReady, "The models of endpoint \(shown(endpoint)) are still loading.")
          : EndpointFleet.unknown(endpoint), endpoint, closing: closing)
    }
    var details = InvocationDetails()
    details.targetVariant = request.headers[.targetVariant]
    details.customAttributes = request.headers[.customAttributes]
    details.inferenceID = request.headers[.inferenceID]
    if let type = request.headers[.contentType] { details.contentType = type }
    if let attributes = details.customAttributes,
      attributes.utf8.count > 1024 || !attributes.utf8.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 9 })
    {
      throw RuntimeError.validation(
        "1 validation error detected: Value at 'customAttributes' failed to satisfy constraint: Member must be at "
          + "most 1024 visible characters of US-ASCII", closing: closing)
    }
    if let id = details.inferenceID, id.isEmpty || id.utf8.count > 64 {
      throw RuntimeError.validation(
        "1 validation error detected: Value at 'inferenceId' failed to satisfy constraint: Member must have length "
          + "from 1 to 64", closing: closing)
    }
    return details
  }

  private func runtimeError(_ error: EndpointError, _ endpoint: String, closing: Bool) -> RuntimeError {
    switch error.reason {
    case .notFound, .exists, .busy, .tooMany:
      return .validation("Endpoint \(shown(endpoint)) of account \(account) not found.", closing: closing)
    case .invalid: return .validation(error.description, closing: closing)
    case .notReady:
      return RuntimeError(
        status: .tooManyRequests, type: "ModelNotReadyException", message: error.description,
        isClosing: closing)
    case .model:
      return RuntimeError(
        status: .internalServerError, type: "InternalFailure", message: error.description, isClosing: closing)
    }
  }

  private func runtimeError(_ refusal: ImageRequest.Refusal, _ endpoint: String) -> RuntimeError {
    switch refusal.reason {
    case .busy:
      return RuntimeError(
        status: .serviceUnavailable, type: "ServiceUnavailable",
        message: "The request was refused: \(refusal.sentence). Try again soon.",
        isClosing: refusal.isClosing)
    case .client(.contentTooLarge):
      return RuntimeError(
        status: .contentTooLarge, type: nil,
        message: "HTTP content length exceeded \(Self.bodyLimit) bytes.", isClosing: refusal.isClosing)
    case .late:
      return modelError(
        0, "Your invocation timed out while waiting for a response from container primary.", endpoint, refusal
      )
    case .client, .model, .gone:
      return modelError(refusal.status.code, refusal.sentence, endpoint, refusal)
    }
  }

  private func modelError(
    _ status: Int, _ message: String, _ endpoint: String, _ refusal: ImageRequest.Refusal
  ) -> RuntimeError {
    let kind = (400..<500).contains(status) ? "client" : "server"
    let group = "/aws/sagemaker/Endpoints/\(endpoint)"
    return RuntimeError(
      status: HTTPResponse.Status(code: 424, reasonPhrase: "Failed Dependency"), type: "ModelError",
      message:
        "Received \(kind) error (\(status)) from primary with message \"\(message)\". See \(group) in account "
        + "\(account) for more information.",
      original: (status, message, "arn:aws:logs:\(region):\(account):log-group:\(group)"),
      isClosing: refusal.isClosing)
  }
}
