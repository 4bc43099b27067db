/** What outlier detection remembers of one instance. Read by `/clusters`; written by `OutlierDetection` alone. */
export class OutlierState {
  /** Failures in a row, by kind: answers of 500 to 599; of them 502, 503 and 504; no answer for a reason on the way. */
  consecutive5xx = 0;
  consecutiveGatewayFailure = 0;
  consecutiveLocalOriginFailure = 0;
  isEjected = false;
  /** Milliseconds since the epoch; the sweep after that ends the ejection. Of the last one when it is not ejected. */
  ejectedUntilMs = 0;
  /** The next ejection lasts this many times the base, and one more. Falls by one with every sweep that finds it in use. */
  multiplier = 0;
  /** It has come back and has not answered yet: one failure ejects it again. */
  isOnProbation = false;
}
