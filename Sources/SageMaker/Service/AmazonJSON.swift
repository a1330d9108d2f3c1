import Encodings
import Endpoints
import Foundation
import HTTP
import HTTPTypes
package import Hummingbird
import NIOCore
package import S3

/// Amazon's JSON 1.1 over HTTP: `POST /` with the operation in X-Amz-Target, JSON both ways.
package enum AmazonJSON {
  /// The operation of a request for one service; nil where it is for none or another.
  ///
  /// - Parameter service: what stands before the dot: "SageMaker".
  package static func operation(of request: Request, service: String) -> String? {
    guard let target = request.headers[.amazonTarget], target.hasPrefix(service + ".") else { return nil }
    return String(target.dropFirst(service.count + 1))
  }

  /// What X-Amz-Target says; nil where there is none.
  package static func target(of request: Request) -> String? { request.headers[.amazonTarget] }

  /// - Parameter answer: gets the request's body.
  package static func respond(
    to request: Request, _ answer: ([UInt8]) async throws(ControlPlaneError) -> [UInt8]
  ) async -> Response {
    let id = UUID().uuidString.lowercased()
    do throws(ControlPlaneError) {
      guard request.method == .post else {
        throw ControlPlaneError(.unknownOperation, "Operations are asked for by POST.")
      }
      return response(.ok, try await answer(try await body(of: request)), id)
    } catch {
      var response = response(.init(code: error.status), error.body.bytes, id)
      response.headers[.amazonErrorType] = error.code.rawValue
      // What was refused before it was read is not read any more.
      if error.code == .serialization { response.headers[.connection] = "close" }
      return response
    }
  }

  package static func refusal(_ refusal: SignatureRefusal) -> Response {
    let body: JSON = ["__type": .string(refusal.code), "message": .string(refusal.message)]
    var response = response(refusal.status, body.bytes, UUID().uuidString.lowercased())
    response.headers[.amazonErrorType] = refusal.code
    response.headers[.connection] = "close"
    return response
  }

  package static func body(of request: Request) async throws(ControlPlaneError) -> [UInt8] {
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
