package awstest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	bucketARN = "arn:aws:s3:::" + anchors
	anchorARN = bucketARN + "/anchors/*"
)

// statements is a policy of these statements.
func statements(all ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`
}

func TestWhatEachCallToS3Needs(t *testing.T) {
	w, now := newBucket(t, allowAll)
	old := w.AddObject(anchors, awstest.Object{Key: "anchors/1", Mode: "GOVERNANCE", RetainUntil: now.Add(time.Hour)})
	bucket, key := aws.String(anchors), aws.String("anchors/1")
	call := map[string]func(*s3.Client) error{
		"put": func(c *s3.Client) error { _, err := c.PutObject(t.Context(), put("anchors/1", "1")); return err },
		"put with a retention": func(c *s3.Client) error {
			_, err := c.PutObject(t.Context(), put("anchors/1", "1", lock(types.ObjectLockModeCompliance, now.Add(time.Hour))))
			return err
		},
		"get": func(c *s3.Client) error { _, err := c.GetObject(t.Context(), get("anchors/1")); return err },
		"head": func(c *s3.Client) error {
			_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: key})
			return err
		},
		"get a version": func(c *s3.Client) error {
			_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key, VersionId: &old.VersionID})
			return err
		},
		"head a bucket": func(c *s3.Client) error {
			_, err := c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket})
			return err
		},
		"list": func(c *s3.Client) error {
			_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
			return err
		},
		"list versions": func(c *s3.Client) error {
			_, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket})
			return err
		},
		"configuration": func(c *s3.Client) error {
			_, err := c.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: bucket})
			return err
		},
		"versioning": func(c *s3.Client) error {
			_, err := c.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: bucket})
			return err
		},
		"delete": func(c *s3.Client) error {
			_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("anchors/2")})
			return err
		},
		"delete a version": func(c *s3.Client) error {
			_, err := c.DeleteObject(t.Context(), remove("anchors/2", strings.Repeat("0", 32)))
			return err
		},
		"delete with a bypass": func(c *s3.Client) error {
			in := remove("anchors/2", strings.Repeat("0", 32))
			in.BypassGovernanceRetention = aws.Bool(true)
			_, err := c.DeleteObject(t.Context(), in)
			return err
		},
	}
	for _, test := range []struct {
		call, resource string
		actions        []string
	}{
		{"put", anchorARN, []string{"s3:PutObject"}},
		{"put with a retention", anchorARN, []string{"s3:PutObject", "s3:PutObjectRetention"}},
		{"get", anchorARN, []string{"s3:GetObject"}},
		{"head", anchorARN, []string{"s3:GetObject"}},
		{"get a version", anchorARN, []string{"s3:GetObjectVersion"}},
		{"head a bucket", bucketARN, []string{"s3:ListBucket"}},
		{"list", bucketARN, []string{"s3:ListBucket"}},
		{"list versions", bucketARN, []string{"s3:ListBucketVersions"}},
		{"configuration", bucketARN, []string{"s3:GetBucketObjectLockConfiguration"}},
		{"versioning", bucketARN, []string{"s3:GetBucketVersioning"}},
		{"delete", anchorARN, []string{"s3:DeleteObject"}},
		{"delete a version", anchorARN, []string{"s3:DeleteObjectVersion"}},
		{"delete with a bypass", anchorARN, []string{"s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"}},
	} {
		t.Run(test.call, func(t *testing.T) {
			do := call[test.call]
			delete(call, test.call)
			var exact []string
			for n, action := range test.actions {
				others := statement("Deny", action, "", "*")
				for m, other := range test.actions {
					if m != n {
						others += "," + statement("Allow", other, "", test.resource)
					}
				}
				w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: statements(others)})
				err := do(w.s3())
				if strings.HasPrefix(test.call, "head") {
					want(t, err, "Forbidden", "") // without a body there is no more to say
				} else {
					want(t, err, "AccessDenied", action+" on resource: "+strings.TrimSuffix(test.resource, "*"))
				}
				exact = append(exact, statement("Allow", action, "", test.resource))
			}
			w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: statements(exact...)})
			check(t, do(w.s3()))
			wrong := bucketARN + "/*"
			if test.resource == anchorARN {
				wrong = bucketARN
			}
			w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: statements(strings.ReplaceAll(strings.Join(exact, ","), test.resource, wrong))})
			if do(w.s3()) == nil {
				t.Errorf("allowed on %s", wrong)
			}
		})
	}
	for name := range call {
		t.Errorf("%s was not asked", name)
	}
	w.noProblems()
}

func TestWhoMayNotListIsNotToldWhatIsThere(t *testing.T) {
	w, now := newBucket(t, allow("s3:GetObject*", "", bucketARN+"/*"))
	w.AddObject(anchors, awstest.Object{Key: "there", Mode: "COMPLIANCE", RetainUntil: now.Add(time.Hour)})
	out, err := w.s3().GetObject(t.Context(), get("there"))
	check(t, err)
	if out.ObjectLockMode != "COMPLIANCE" || out.ObjectLockRetainUntilDate == nil {
		t.Errorf("got %+v", out)
	}
	_, err = w.s3().GetObject(t.Context(), get("missing"))
	want(t, err, "AccessDenied", "s3:ListBucket on resource: "+bucketARN)
	_, err = w.s3().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(anchors), Key: aws.String("missing")})
	want(t, err, "Forbidden", "")

	w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: statements(
		statement("Allow", "s3:GetObject", "", bucketARN+"/*"), statement("Allow", "s3:ListBucket", "", bucketARN))})
	_, err = w.s3().GetObject(t.Context(), get("missing"))
	want(t, err, "NoSuchKey", "")
	out, err = w.s3().GetObject(t.Context(), get("there"))
	check(t, err)
	if out.ObjectLockMode != "" || out.ObjectLockRetainUntilDate != nil {
		t.Errorf("the retention shows without s3:GetObjectRetention: %+v", out)
	}
	_, err = w.s3().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(anchors), Key: aws.String("there")})
	check(t, err)
	w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: statements(statement("Allow", "s3:GetObject", "", bucketARN+"/*"),
		statement("Allow", "s3:ListBucket", `"Condition":{"StringLike":{"s3:prefix":"*"}},`, bucketARN))})
	_, err = w.s3().GetObject(t.Context(), get("missing"))
	want(t, err, "AccessDenied", "s3:ListBucket") // a get has no prefix
	w.noProblems()
}

func TestConditionsOfS3(t *testing.T) {
	list := func(change func(*s3.ListObjectsV2Input)) func(*world, time.Time) error {
		return func(w *world, _ time.Time) error {
			in := &s3.ListObjectsV2Input{Bucket: aws.String(anchors)}
			change(in)
			_, err := w.s3().ListObjectsV2(t.Context(), in)
			return err
		}
	}
	write := func(mode types.ObjectLockMode, keep time.Duration, change ...func(*s3.PutObjectInput)) func(*world, time.Time) error {
		return func(w *world, now time.Time) error {
			_, err := w.s3().PutObject(t.Context(), put("a", "1", append(change, lock(mode, now.Add(keep)))...))
			return err
		}
	}
	when := func(operator, key, value string) string {
		return statements(statement("Allow", "s3:PutObject*", "", bucketARN+"/*"), statement("Allow", "s3:ListBucket",
			`"Condition":{"`+operator+`":{"`+key+`":"`+value+`"}},`, bucketARN))
	}
	retained := func(operator, key, value string) string {
		return statements(statement("Allow", "s3:PutObject", "", bucketARN+"/*"), statement("Allow", "s3:PutObjectRetention",
			`"Condition":{"`+operator+`":{"`+key+`":"`+value+`"}},`, bucketARN+"/*"))
	}
	put := func(operator, key, value string) string {
		return statements(statement("Allow", "s3:PutObjectRetention", "", bucketARN+"/*"), statement("Allow", "s3:PutObject",
			`"Condition":{"`+operator+`":{"`+key+`":"`+value+`"}},`, bucketARN+"/*"))
	}
	const day = 24 * time.Hour
	both := allow("s3:PutObject*", `"Condition":{"StringEquals":{"s3:if-none-match":"*"}},`, bucketARN+"/*")
	for _, test := range []struct {
		name, policy string
		do           func(*world, time.Time) error
		refused      string // "" is allowed
	}{
		{"a prefix", when("StringLike", "s3:prefix", "anchors/*"), list(func(in *s3.ListObjectsV2Input) { in.Prefix = aws.String("anchors/2026") }), ""},
		{"another prefix", when("StringLike", "s3:prefix", "anchors/*"), list(func(in *s3.ListObjectsV2Input) { in.Prefix = aws.String("x") }), "ListBucket"},
		{"no prefix", when("StringLike", "s3:prefix", "*"), list(func(*s3.ListObjectsV2Input) {}), "ListBucket"},
		{"an empty prefix", when("StringEquals", "s3:prefix", ""), list(func(in *s3.ListObjectsV2Input) { in.Prefix = aws.String("") }), ""},
		{"few keys", when("NumericLessThanEquals", "s3:max-keys", "10"), list(func(in *s3.ListObjectsV2Input) { in.MaxKeys = aws.Int32(9) }), ""},
		{"many keys", when("NumericLessThanEquals", "s3:max-keys", "10"), list(func(in *s3.ListObjectsV2Input) { in.MaxKeys = aws.Int32(11) }), "ListBucket"},

		{"the mode", retained("StringEquals", "s3:object-lock-mode", "COMPLIANCE"), write("COMPLIANCE", day), ""},
		{"another mode", retained("StringEquals", "s3:object-lock-mode", "COMPLIANCE"), write("GOVERNANCE", day), "PutObjectRetention"},
		{"the mode of the put", put("StringEquals", "s3:object-lock-mode", "COMPLIANCE"), write("GOVERNANCE", day), "PutObject"},
		{"long enough", retained("NumericGreaterThanEquals", "s3:object-lock-remaining-retention-days", "30"), write("COMPLIANCE", 30*day), ""},
		{"part of a day", retained("NumericLessThan", "s3:object-lock-remaining-retention-days", "31"), write("COMPLIANCE", 30*day+time.Hour), "PutObjectRetention"},
		{"too long", retained("NumericLessThan", "s3:object-lock-remaining-retention-days", "31"), write("COMPLIANCE", 31*day), "PutObjectRetention"},
		{"exactly", retained("NumericEquals", "s3:object-lock-remaining-retention-days", "7"), write("COMPLIANCE", 7*day), ""},
		{"anything but", retained("NumericNotEquals", "s3:object-lock-remaining-retention-days", "7"), write("COMPLIANCE", 7*day), "PutObjectRetention"},
		{"no number", retained("NumericGreaterThan", "s3:object-lock-remaining-retention-days", "a"), write("COMPLIANCE", 7*day), "PutObjectRetention"},

		{"once", put("StringEquals", "s3:if-none-match", "*"), write("COMPLIANCE", day, once), ""},
		{"more than once", put("StringEquals", "s3:if-none-match", "*"), write("COMPLIANCE", day), "PutObject"},
		{"once, asked of the retention too", both, write("COMPLIANCE", day, once), "PutObjectRetention"},
		{"the bucket's account", put("StringEquals", "aws:ResourceAccount", account), write("COMPLIANCE", day), ""},
		{"another account", put("StringEquals", "s3:ResourceAccount", "222222222222"), write("COMPLIANCE", day), "PutObject"},
		{"a signed body", put("StringNotEquals", "s3:x-amz-content-sha256", "UNSIGNED-PAYLOAD"), write("COMPLIANCE", day), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, now := newBucket(t, test.policy)
			*now = now.Truncate(time.Millisecond)
			err := test.do(w, *now)
			if test.refused == "" {
				check(t, err)
			} else {
				want(t, err, "AccessDenied", "s3:"+test.refused+" on resource")
			}
			w.noProblems()
		})
	}
}

func TestSessionPoliciesHoldForS3(t *testing.T) {
	w, now := newBucket(t, allowAll)
	cfg := w.session(func(in *sts.AssumeRoleInput) { in.Policy = aws.String(allow("s3:PutObject", "", anchorARN)) })
	cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	c := s3.NewFromConfig(cfg)
	_, err := c.PutObject(t.Context(), put("anchors/1", "1"))
	check(t, err)
	_, err = c.PutObject(t.Context(), put("anchors/1", "1", lock(types.ObjectLockModeGovernance, now.Add(time.Hour))))
	want(t, err, "AccessDenied", "because no session policy allows the s3:PutObjectRetention action")
	_, err = c.PutObject(t.Context(), put("others/1", "1"))
	want(t, err, "AccessDenied", "because no session policy allows the s3:PutObject action")
	_, err = c.GetObject(t.Context(), get("anchors/1"))
	want(t, err, "AccessDenied", "s3:GetObject")
	for n, allowed := range []bool{true, false, false, false} {
		if call := w.Calls()[n+1]; call.Allowed != allowed {
			t.Errorf("%s %d: allowed is %t", call.Name(), n, call.Allowed)
		}
	}
	w.noProblems()
}

func TestBucketOfAnotherAccount(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddBucket(awstest.Bucket{Name: anchors, Account: "222222222222"})
	_, err := w.s3().PutObject(t.Context(), put("a", "1"))
	want(t, err, "AccessDenied", "because no resource-based policy allows the s3:PutObject action")
	w.noProblems()
}
