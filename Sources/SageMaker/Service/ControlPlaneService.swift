import Encodings
import Endpoints
import Foundation
import HTTP
import HTTPTypes
package import HummingbirdCore
import NIOCore
package import S3

/// SageMaker's control plane over HTTP.
package struct ControlPlaneService: Sendable {
  package let api: SageMakerAPI
  /// The account of all requests, and the region of requests whose signature does not name one.
  let caller: Caller

  package init(_ api: SageMakerAPI, caller: Caller = Caller()) {
    self.api = api
    self.caller = caller
  }

  /// The SageMaker operation of a request; nil if the request is for another service.
  package static func operation(of request: Request) -> String? {
    AmazonJSON.operation(of: request, service: "SageMaker")
  }

  /// Executes an operation; errors become AWS's error responses.
  package func respond(to request: Request, operation: String) async -> Response {
    let caller = caller.asking(request)
    return await AmazonJSON.respond(to: request) { body throws(ControlPlaneError) in
      try await api.respond(to: operation, body: body, from: caller)
    }
  }
}

extension Caller {
  /// The caller of a request: this account, and the region in the scope of the request's signature, such as eu-west-1 in
  /// `Credential=KEY/20261129/eu-west-1/sagemaker/aws4_request`.
  package func asking(_ request: Request) -> Caller {
    var caller = self
    if let region = request.claimedScope?.region, Self.isRegion(region) { caller.region = region }
    return caller
  }

  private static func isRegion(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 32
      && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
  }
}

/// AWS's JSON 1.1 protocol over HTTP: `POST /` with the operation in X-Amz-Target, and JSON request and response bodies.
package enum AmazonJSON {
  /// The operation of a request to one service; nil if X-Amz-Target is absent or names another service.
  ///
  /// - Parameter service: the part of X-Amz-Target before the dot, such as "SageMaker".
  package static func operation(of request: Request, service: String) -> String? {
    guard let target = request.headers[.amazonTarget], target.hasPrefix(service + ".") else { return nil }
    return String(target.dropFirst(service.count + 1))
  }

  /// The value of X-Amz-Target; nil if it is absent.
  package static func target(of request: Request) -> String? { request.headers[.amazonTarget] }

  /// Reads a request's body and encodes the result, or the error, as an HTTP response.
  ///
  /// - Parameter answer: executes the operation on the request's body.
  package static func respond(
    to request: Request, _ answer: ([UInt8]) async throws(ControlPlaneError) -> [UInt8]
  ) async -> Response {
    let id = UUID().uuidString.lowercased()
    do throws(ControlPlaneError) {
      guard request.method == .post else {
        throw ControlPlaneError(.unknownOperation, "Operations must be sent by POST.")
      }
      return response(.ok, try await answer(try await body(of: request)), id)
    } catch {
      var response = response(.init(code: error.status), error.body.bytes, id)
      response.headers[.amazonErrorType] = error.code.rawValue
      // The body may not have been read to its end, so the connection cannot be reused.
      if error.code == .serialization { response.headers[.connection] = "close" }
      return response
    }
  }

  /// The response to a request with a bad signature. It closes the connection, because the body has not been read.
  package static func refusal(_ refusal: SignatureRefusal) -> Response {
    let body: JSON = ["__type": .string(refusal.code), "message": .string(refusal.message)]
    var response = response(refusal.status, body.bytes, UUID().uuidString.lowercased())
    response.headers[.amazonErrorType] = refusal.code
    response.headers[.connection] = "close"
    return response
  }

  /// Reads a request's body into memory.
  ///
  /// - Throws: `.serialization` if it is larger than `SageMakerAPI.largestBody` or breaks off.
  package static func body(of request: Request) async throws(ControlPlaneError) -> [UInt8] {
    let limit = SageMakerAPI.largestBody
    let tooLarge = ControlPlaneError(.serialization, "The request body has more than \(limit) bytes.")
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
    var body: [UInt8] = []
    do {
      for try await part in request.body {
        guard part.readableBytes <= limit - body.count else { throw tooLarge }
        unsafe part.withUnsafeReadableBytes { unsafe body.append(contentsOf: $0) }
      }
    } catch let error as ControlPlaneError {
      throw error
    } catch {
      throw ControlPlaneError(.serialization, "The request body is incomplete.")
    }
    return body
  }

  private static func response(_ status: HTTPResponse.Status, _ body: [UInt8], _ id: String) -> Response {
    Response(
      status: status,
      headers: [
        .contentType: "application/x-amz-json-1.1", .contentLength: "\(body.count)", .amazonRequestID: id,
      ],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
  }
}

extension HTTPField.Name {
  fileprivate static let amazonTarget = name("X-Amz-Target")
  fileprivate static let amazonRequestID = name("x-amzn-RequestId")
  fileprivate static let amazonErrorType = name("x-amzn-ErrorType")
}
