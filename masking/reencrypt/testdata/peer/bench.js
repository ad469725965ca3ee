// Operations a second of the published implementation, one thread, 64 bytes of
// plaintext, 2 of 3, both keys bound: bench.js [seconds for each operation].
// Prints "name ops/s", the median of five slices. Names are those of
// ../../bench_test.go.
const u = require('@nucypher/umbral-pre');
const seconds = Number(process.argv[2] || 2);
const plaintext = new Uint8Array(64).fill(65);
const a = u.SecretKey.random(), b = u.SecretKey.random(), s = u.SecretKey.random();
const apk = a.publicKey(), bpk = b.publicKey(), vk = s.publicKey(), signer = new u.Signer(s);
const [capsule, ciphertext] = u.encrypt(apk, plaintext);
const kfrags = u.generateKFrags(a, bpk, signer, 2, 3, true, true);
const kfrag = kfrags[0].toBytes();
const cfrags = [u.reencrypt(capsule, kfrags[0]), u.reencrypt(capsule, kfrags[1])];
const cfrag = cfrags[0].toBytes();
if (Buffer.compare(Buffer.from(u.decryptReencrypted(b, apk, capsule, cfrags, ciphertext)), Buffer.from(plaintext))) throw new Error('does not open');

function free(x) {
  if (Array.isArray(x)) x.forEach(free);
  else if (x && x.free) x.free();
}

function bench(name, f) {
  for (let i = 0; i < 50; i++) free(f());
  const rates = [];
  for (let k = 0; k < 5; k++) {
    let n = 0, d = 0;
    const start = process.hrtime.bigint();
    do {
      for (let i = 0; i < 20; i++) { free(f()); n++; }
      d = Number(process.hrtime.bigint() - start) / 1e9;
    } while (d < seconds / 5);
    rates.push(n / d);
  }
  rates.sort((x, y) => x - y);
  console.log(name, rates[2].toFixed(1));
}

bench('Encapsulate', () => u.encrypt(apk, plaintext)[0]);
bench('Decapsulate', () => { u.decryptOriginal(a, capsule, ciphertext); });
bench('Grant', () => u.generateKFrags(a, bpk, signer, 2, 3, true, true));
bench('VerifyKeyFragment', () => u.KeyFrag.fromBytes(kfrag).verify(vk, apk, bpk));
bench('Transform', () => u.reencrypt(capsule, kfrags[0]));
bench('VerifyCapsuleFragment', () => u.CapsuleFrag.fromBytes(cfrag).verify(capsule, vk, apk, bpk));
bench('Open', () => { u.decryptReencrypted(b, apk, capsule, cfrags, ciphertext); });
