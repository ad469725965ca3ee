// The published implementation at the other end of the exchange. Reads JSON on
// standard input and writes JSON on standard output.
//
//   peer.js make    [{threshold, shares, flags, plaintext}] -> whole exchanges, of the form of ../umbral-pre-0.10.json
//   peer.js check   whole exchanges that were made elsewhere -> their number; fails at the first that it does not accept
const u = require('@nucypher/umbral-pre');

const hex = (b) => Buffer.from(b).toString('hex');
const bytes = (h) => new Uint8Array(Buffer.from(h, 'hex'));

function make(c) {
  const a = u.SecretKey.random(), b = u.SecretKey.random(), s = u.SecretKey.random();
  const [capsule, ciphertext] = u.encrypt(a.publicKey(), bytes(c.plaintext));
  const kfrags = u.generateKFrags(a, b.publicKey(), new u.Signer(s), c.threshold, c.shares, c.sign_delegating_key, c.sign_receiving_key);
  const cfrags = kfrags.map((k) => u.reencrypt(capsule, k));
  return {
    ...c,
    delegating_secret_key: hex(a.toBEBytes()), delegating_public_key: hex(a.publicKey().toCompressedBytes()),
    receiving_secret_key: hex(b.toBEBytes()), receiving_public_key: hex(b.publicKey().toCompressedBytes()),
    signer_secret_key: hex(s.toBEBytes()), verifying_key: hex(s.publicKey().toCompressedBytes()),
    ciphertext: hex(ciphertext), capsule: hex(capsule.toBytes()), capsule_simple: hex(capsule.toBytesSimple()),
    kfrags: kfrags.map((k) => hex(k.toBytes())),
    cfrags: cfrags.map((f) => hex(f.toBytes())), cfrags_simple: cfrags.map((f) => hex(f.toBytesSimple())),
  };
}

function same(what, got, want) {
  if (hex(got) !== want) throw new Error(`${what} differs`);
}

function check(v) {
  const a = u.SecretKey.fromBEBytes(bytes(v.delegating_secret_key)), b = u.SecretKey.fromBEBytes(bytes(v.receiving_secret_key));
  const apk = u.PublicKey.fromCompressedBytes(bytes(v.delegating_public_key));
  const bpk = u.PublicKey.fromCompressedBytes(bytes(v.receiving_public_key));
  const vk = u.PublicKey.fromCompressedBytes(bytes(v.verifying_key));
  const capsule = u.Capsule.fromBytes(bytes(v.capsule)), ciphertext = bytes(v.ciphertext);
  same('capsule', capsule.toBytes(), v.capsule);
  same('capsule, simple', capsule.toBytesSimple(), v.capsule_simple);
  same('plaintext to the delegator', u.decryptOriginal(a, capsule, ciphertext), v.plaintext);
  const open = (frags) => u.decryptReencrypted(b, apk, capsule, frags, ciphertext);

  const transformed = v.kfrags.map((h) => {
    const k = u.KeyFrag.fromBytes(bytes(h));
    same('key fragment', k.toBytes(), h);
    const ok = k.verify(vk, v.sign_delegating_key ? apk : null, v.sign_receiving_key ? bpk : null);
    return u.reencrypt(capsule, ok);
  });
  same('plaintext of transforms here', open(transformed.slice(-v.threshold)), v.plaintext);

  const received = v.cfrags.map((h, i) => {
    const f = u.CapsuleFrag.fromBytes(bytes(h));
    same('capsule fragment', f.toBytes(), h);
    same('capsule fragment, simple', f.toBytesSimple(), v.cfrags_simple[i]);
    return f.verify(capsule, vk, apk, bpk);
  });
  same('plaintext of transforms there', open(received.slice(0, v.threshold)), v.plaintext);
  if (v.threshold < v.shares) { // half from each side
    const mixed = received.slice(0, 1).concat(transformed.slice(1, v.threshold));
    same('plaintext of mixed transforms', open(mixed), v.plaintext);
  }
  return 1;
}

const todo = { make, check }[process.argv[2]];
const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(input.map(todo)));
