/** The spec reporter, and one more line for programs that read the end of a log. Mocha loads reporters by `require`. */
const { reporters } = require('mocha');

class SummaryReporter extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    process.stdout.write(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}\n`);
  }
}

module.exports = SummaryReporter;
