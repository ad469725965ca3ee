"""Amazon's own client for the test of AWS KMS.

usage: account.py ENDPOINT CA_FILE setup | encrypt ARN HEX CONTEXT | decrypt BASE64 CONTEXT

setup makes two keys, a user who may use them and one who may only encrypt, and
has moto check signatures and rights from then on. CONTEXT is JSON.
"""
import base64
import json
import ssl
import sys
import urllib.request

import boto3

endpoint, ca, action, *args = sys.argv[1:]


def client(service):
    return boto3.client(service, endpoint_url=endpoint, verify=ca, region_name="eu-central-1")


def user(name, *actions):
    iam = client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": ["kms:" + a for a in actions], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="kms", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


kms = client("kms")
if action == "setup":
    out = {
        "keys": [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)],
        "user": user("tallystick", "Encrypt", "Decrypt"),
        "writer": user("writer", "Encrypt"),
    }
    request = urllib.request.Request(endpoint + "/moto-api/reset-auth", data=b"0", method="POST", headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca)).read()
elif action == "encrypt":
    r = kms.encrypt(KeyId=args[0], Plaintext=bytes.fromhex(args[1]), EncryptionContext=json.loads(args[2]))
    out = base64.b64encode(r["CiphertextBlob"]).decode()
else:
    r = kms.decrypt(CiphertextBlob=base64.b64decode(args[0]), EncryptionContext=json.loads(args[1]))
    out = r["Plaintext"].hex()
print(json.dumps(out))
