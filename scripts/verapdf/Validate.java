import java.io.FileInputStream;
import java.util.Map;
import java.util.TreeMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Validates PDF files against one flavour, such as 2a or ua1; exits with 1 if one fails. */
public class Validate {
  public static void main(String[] args) throws Exception {
    Logger.getLogger("").setLevel(Level.SEVERE);
    VeraGreenfieldFoundryProvider.initialise();
    PDFAFlavour flavour = PDFAFlavour.byFlavourId(args[0]);
    boolean failed = args.length < 2;
    for (int i = 1; i < args.length; i++) {
      try (FileInputStream in = new FileInputStream(args[i]);
          PDFAParser parser = Foundries.defaultInstance().createParser(in, flavour)) {
        ValidationResult r = Foundries.defaultInstance().createValidator(flavour, false).validate(parser);
        System.out.println((r.isCompliant() ? "PASS " : "FAIL ") + flavour.getId() + " " + args[i] + " assertions=" + r.getTotalAssertions());
        Map<String, String> first = new TreeMap<>();
        for (TestAssertion t : r.getTestAssertions()) {
          if (t.getStatus() == TestAssertion.Status.FAILED) {
            first.putIfAbsent(t.getRuleId().getClause() + "-" + t.getRuleId().getTestNumber(), t.getMessage() + " @ " + t.getLocation().getContext());
          }
        }
        first.forEach((rule, what) -> System.out.println("  " + rule + ": " + what));
        failed |= !r.isCompliant();
      }
    }
    System.exit(failed ? 1 : 0);
  }
}
