<?php
// Sends one mail with PHPMailer. The job is JSON on standard input; see angarium.testing.clients.
require '/usr/share/php/libphp-phpmailer/autoload.php';
$job = json_decode(stream_get_contents(STDIN), true);
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
try {
    $mail->isSMTP();
    $mail->Host = $job['host'];
    $mail->Port = $job['port'];
    $mail->SMTPAuth = true;
    $mail->AuthType = $job['mechanism'];
    $mail->Username = $job['user'];
    $mail->Password = $job['password'];
    $mail->SMTPSecure = $job['tls'] === 'starttls' ? 'tls' : 'ssl';
    $mail->SMTPOptions = ['ssl' => ['cafile' => $job['ca'], 'peer_name' => 'localhost']];
    $mail->CharSet = 'UTF-8';
    $mail->setFrom($job['sender']);
    foreach ($job['recipients'] as $recipient) {
        $mail->addAddress($recipient);
    }
    foreach ($job['headers'] as $name => $value) {
        $mail->addCustomHeader($name, $value);
    }
    $mail->Subject = $job['subject'];
    $mail->Body = $job['text'];
    $mail->send();
    echo "sent\n";
} catch (Exception $error) {
    fwrite(STDERR, $mail->ErrorInfo . "\n");
    exit(1);
}
