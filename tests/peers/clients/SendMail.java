// Sends one mail with Jakarta Mail. The job is lines of name=value on standard input; see angarium.testing.clients.
import jakarta.mail.Message;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Properties;

public class SendMail {
    public static void main(String[] arguments) throws Exception {
        Properties job = new Properties();
        job.load(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Properties settings = new Properties();
        settings.put("mail.smtp.host", job.getProperty("host"));
        settings.put("mail.smtp.port", job.getProperty("port"));
        settings.put("mail.smtp.auth", "true");
        settings.put("mail.smtp.auth.mechanisms", job.getProperty("mechanism"));
        boolean fromTheStart = job.getProperty("tls").equals("tls");
        settings.put(fromTheStart ? "mail.smtp.ssl.enable" : "mail.smtp.starttls.required", "true");
        settings.put("mail.smtp.starttls.enable", "true");
        settings.put("mail.smtp.ssl.trust", job.getProperty("host"));
        settings.put("mail.smtp.ssl.checkserveridentity", "false");

        Session session = Session.getInstance(settings);
        MimeMessage message = new MimeMessage(session);
        message.setFrom(new InternetAddress(job.getProperty("sender")));
        message.setRecipients(Message.RecipientType.TO, InternetAddress.parse(job.getProperty("recipients")));
        message.setSubject(job.getProperty("subject"), "UTF-8");
        message.setText(job.getProperty("text"), "UTF-8");
        for (String name : job.stringPropertyNames()) {
            if (name.startsWith("header.")) {
                message.setHeader(name.substring(7), job.getProperty(name));
            }
        }
        Transport.send(message, job.getProperty("user"), job.getProperty("password"));
        System.out.println("sent");
    }
}
