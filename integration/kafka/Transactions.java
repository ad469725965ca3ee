import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Produces a line many times in transactions of twenty records, every third of which is aborted.
 * Usage: java -cp 'JARS/*' Transactions.java ADDRESS TOPIC RECORDS LINE
 */
public class Transactions {
    public static void main(String[] args) {
        var text = new StringSerializer();
        try (var producer = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", args[0], "transactional.id", "access"), text, text)) {
            producer.initTransactions();
            int records = Integer.parseInt(args[2]);
            for (int begin = 0; begin < records; begin += 20) {
                producer.beginTransaction();
                for (int i = begin; i < begin + 20; i++) {
                    producer.send(new ProducerRecord<>(args[1], "k" + i, args[3]));
                }
                producer.flush();
                if (begin / 20 % 3 == 2) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
    }
}
