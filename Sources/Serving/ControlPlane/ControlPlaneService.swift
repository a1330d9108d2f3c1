package import ControlPlane
import Foundation
import HTTPTypes
package import Hummingbird
import NIOCore

/// SageMaker's control plane over HTTP: `POST /` with the operation in X-Amz-Target, JSON 1.1 both ways.
package struct ControlPlaneService: Sendable {
  package let api: SageMakerAPI
  /// Where a request does not say by its signature which region it is for.
  let caller: Caller

  package init(_ api: SageMakerAPI, caller: Caller = Caller()) {
    self.api = api
    self.caller = caller
  }

  /// The operation that a request asks for; nil where it is none of SageMaker's.
  package static func operation(of request: Request) -> String? {
    guard let target = request.headers[.amazonTarget], target.hasPrefix("SageMaker.") else { return nil }
    return String(target.dropFirst("SageMaker.".count))
  }

  package func respond(to request: Request, operation: String) async throws -> Response {
    let id = UUID().uuidString.lowercased()
    do throws(ControlPlaneError) {
      guard request.method == .post else {
        throw ControlPlaneError(.unknownOperation, "Operations are asked for by POST.")
      }
      let body = try await body(of: request)
      let answer = try await api.respond(to: operation, body: body, from: caller(of: request))
      return Self.response(.ok, answer, id)
    } catch {
      var response = Self.response(.init(code: error.status), error.body.bytes, id)
      response.headers[.amazonErrorType] = error.code.rawValue
      // What was refused before it was read is not read any more.
      if error.code == .serialization { response.headers[.connection] = "close" }
      return response
    }
  }

  static func refusal(_ refusal: SignatureRefusal) -> Response {
    let body: JSON = ["__type": .string(refusal.code), "message": .string(refusal.message)]
    var response = response(refusal.status, body.bytes, UUID().uuidString.lowercased())
    response.headers[.amazonErrorType] = refusal.code
    response.headers[.connection] = "close"
    return response
  }

  private func body(of request: Request) async throws(ControlPlaneError) -> [UInt8] {
    let limit = SageMakerAPI.largestBody
    let tooLarge = ControlPlaneError(.serialization, "The request has more than \(limit) bytes.")
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
      throw ControlPlaneError(.serialization, "The request's body did not arrive.")
    }
    return body
  }

  /// The region stands in the signature's scope: `Credential=KEY/20261129/eu-west-1/sagemaker/aws4_request`.
  private func caller(of request: Request) -> Caller {
    var caller = caller
    if let region = request.claimedScope?.region, Self.isRegion(region) { caller.region = region }
    return caller
  }

  private static func isRegion(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 32
      && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
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
  // Tokens of letters and dashes, which a name may be.
  fileprivate static let amazonTarget = name("X-Amz-Target")
  fileprivate static let amazonRequestID = name("x-amzn-RequestId")
  fileprivate static let amazonErrorType = name("x-amzn-ErrorType")
}
