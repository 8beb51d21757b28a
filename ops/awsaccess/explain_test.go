package awsaccess_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Advice goes by what AWS says of a refusal.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func TestExplainARefusal(t *testing.T) {
	const (
		arn   = "arn:aws:lambda:eu-west-2:222222222222:function:sink"
		start = "User: arn:aws:sts::222222222222:assumed-role/look/octocat is not authorized to perform: lambda:InvokeFunction on resource: " + arn
	)
	named := awsaccess.Named{What: "a function sink in eu-west-2", Setting: "operations.scim-sync.function"}
	for _, test := range []struct {
		name, message string
		parts         []string
		not           string
	}{
		{
			"no policy of the role allows it, or the name is wrong", start + " because no identity-based policy allows the lambda:InvokeFunction action",
			[]string{"It was asked for " + arn + ".", "No identity-based policy allows it.", "The role's policy must allow it", "Check whether there is a function sink in eu-west-2 (operations.scim-sync.function in the bot's settings)."},
			"",
		},
		{"AWS doesn't say why", start, []string{arn, "The role's policy must allow it", "operations.scim-sync.function"}, ""},
		{
			"a service control policy denies it", start + " with an explicit deny in a service control policy: arn:aws:organizations::111111111111:policy/o-abc/service_control_policy/p-123",
			[]string{"There is an explicit deny in a service control policy (arn:aws:organizations::111111111111:policy/o-abc/service_control_policy/p-123).", "the administrators of AWS Organizations must change that"},
			"manifests/iam",
		},
		{"no service control policy allows it", start + " because no service control policy allows the lambda:InvokeFunction action", []string{"No service control policy allows it.", "must allow it"}, "manifests/iam"},
		{"a permissions boundary", start + " because no permissions boundary allows the lambda:InvokeFunction action", []string{"The permissions boundary of the role must allow it."}, "manifests/iam"},
		{"a boundary that denies", start + " with an explicit deny in a permissions boundary", []string{"must not deny it to this role"}, "manifests/iam"},
		{"the session policy", start + " because no session policy allows the lambda:InvokeFunction action", []string{"The bot narrows each session to what its settings name", "operations.scim-sync.function"}, "manifests/iam"},
		{"a deny of the role's own", start + " with an explicit deny in an identity-based policy", []string{"an explicit deny in an identity-based policy", "A statement of the role's own policies denies it."}, "must allow"},
		{"a VPC endpoint", start + " because no VPC endpoint policy allows the lambda:InvokeFunction action", []string{"the VPC endpoint in the bot's network must allow it"}, "manifests/iam"},
		{"the function's own policy", start + " with an explicit deny in a resource-based policy", []string{"The resource-based policy of what was asked for must not deny it"}, "manifests/iam"},
	} {
		t.Run(test.name, func(t *testing.T) {
			words := ops.Words(awsaccess.Explain(failed("Lambda", "Invoke", "AccessDeniedException", test.message), role, named), "")
			for _, part := range append(test.parts, "AWS refused lambda:InvokeFunction to the role "+role+".") {
				if !strings.Contains(words, part) {
					t.Errorf("got %q, want %q in it", words, part)
				}
			}
			if test.not != "" && strings.Contains(words, test.not) {
				t.Errorf("got %q, which says %q", words, test.not)
			}
		})
	}
}

func TestExplainOtherCauses(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		parts []string
	}{
		{"the session tags of EKS Pod Identity", failed("STS", "AssumeRole", "PackedPolicyTooLarge", "Packed size of session tags consumes 112% of allotted space."), []string{"consumes 112%", "disable_session_tags", "IRSA"}},
		{"a clock that is wrong", failed("STS", "AssumeRole", "SignatureDoesNotMatch", "Signature expired: 20260102T060001Z is now earlier than 20260102T061001Z"), []string{"the bot's clock differs", "must be set right"}},
		{"a key that is wrong", failed("STS", "AssumeRole", "SignatureDoesNotMatch", "The request signature we calculated does not match"), []string{"doesn't accept the bot's credentials", "renew"}},
		{"an explicit deny to assume the role", failed("STS", "AssumeRole", "AccessDenied", "User: arn:aws:iam::1:user/bot is not authorized to perform: sts:AssumeRole on resource: "+role+" with an explicit deny in a service control policy"), []string{"The bot is arn:aws:iam::1:user/bot.", "explicit deny in a service control policy", "administrators of AWS Organizations"}},
		{"an account outside of the management account", failed("Organizations", "DescribeAccount", "AccessDeniedException", "You don't have permissions to access this resource."), []string{"AWS says: You don't have permissions", "organisation's management account"}},
		{"trouble that may pass", failed("IAM", "DetachUserPolicy", "ServiceUnavailable", "Later"), []string{"AWS answered iam:DetachUserPolicy with ServiceUnavailable: Later.", "Try again"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			words := ops.Words(awsaccess.Explain(test.err, role), "")
			for _, part := range test.parts {
				if !strings.Contains(words, part) {
					t.Errorf("got %q, want %q in it", words, part)
				}
			}
		})
	}
	missing := awsaccess.Explain(failed("identitystore", "ListUsers", "ResourceNotFoundException", "IDENTITY_STORE not found"), role, awsaccess.Named{What: "the identity store d-1", Setting: "operations.scim-sync.identity_store"})
	if words := ops.Words(missing, ""); !strings.HasSuffix(words, "Check whether there is the identity store d-1 (operations.scim-sync.identity_store in the bot's settings).") {
		t.Errorf("got %q", words)
	}
}

// Each service that the operations call is named as IAM does, so that its prefix stands
// in manifests/iam.
func TestPrefixesAreIAMs(t *testing.T) {
	services := map[string]string{
		"cloudtrail": cloudtrail.ServiceID, "cloudwatchlogs": cloudwatchlogs.ServiceID, "costexplorer": costexplorer.ServiceID, "iam": iam.ServiceID,
		"identitystore": identitystore.ServiceID, "lambda": lambda.ServiceID, "organizations": organizations.ServiceID, "s3": s3.ServiceID, "sts": sts.ServiceID,
	}
	var policies strings.Builder
	files, err := filepath.Glob("../../manifests/iam/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		policies.Write(text)
	}
	for name := range used(t, "..") {
		id, ok := services[name]
		if !ok {
			t.Errorf("the service %s is used: this test must know it", name)
			continue
		}
		words := ops.Words(awsaccess.Explain(failed(id, "X", "Y", "Z"), role), "")
		var prefix string
		if _, err := fmt.Sscanf(words, "AWS answered %s with", &prefix); err != nil || !strings.Contains(policies.String(), `"`+strings.TrimSuffix(prefix, "X")) {
			t.Errorf("%s is told as %q, and no policy has that prefix (%v)", name, words, err)
		}
	}
}

// used are the SDK's services that the code below a folder imports, tests apart.
func used(t *testing.T, folder string) map[string]bool {
	all := map[string]bool{}
	err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "awstest") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if dir, base := path.Split(name); dir == "github.com/aws/aws-sdk-go-v2/service/" {
				all[base] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRoleAndRegionFaults(t *testing.T) {
	for _, test := range []struct{ name, fault, want string }{
		{"a role", awsaccess.RoleFault(role), ""},
		{"a role with a path", awsaccess.RoleFault("arn:aws:iam::222222222222:role/bots/look"), ""},
		{"a user", awsaccess.RoleFault("arn:aws:iam::222222222222:user/look"), "is not the ARN of a role"},
		{"a role with a path of several parts", awsaccess.RoleFault("arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/look_1+2=3,4.5@6-7"), ""},
		{"a role without a name", awsaccess.RoleFault("arn:aws:iam::222222222222:role/"), "is not the ARN of a role"},
		{"every role", awsaccess.RoleFault("arn:aws:iam::222222222222:role/*"), "is not the ARN of a role"},
		{"a role whose name nobody filled in", awsaccess.RoleFault("arn:aws:iam::222222222222:role/${name}"), "is not the ARN of a role"},
		{"an account that nobody filled in", awsaccess.RoleFault("arn:aws:iam::ACCOUNT_ID_X:role/look"), "is not the ARN of a role"},
		{"a role with a line end", awsaccess.RoleFault("arn:aws:iam::222222222222:role/look\n"), "is not the ARN of a role"},
		{"a role in a region", awsaccess.RoleFault("arn:aws:iam:eu-west-2:222222222222:role/look"), "is not the ARN of a role"},
		{"a session of a role", awsaccess.RoleFault("arn:aws:sts::222222222222:assumed-role/look/x"), "is not the ARN of a role"},
		{"a role of GovCloud", awsaccess.RoleFault("arn:aws-us-gov:iam::222222222222:role/look"), "is of the partition aws-us-gov, and the bot works in the partition aws alone"},
		{"a role in China", awsaccess.RoleFault("arn:aws-cn:iam::222222222222:role/look"), "is of the partition aws-cn"},
		{"a region", awsaccess.RegionFault("eu-west-2"), ""},
		{"a region of three words", awsaccess.RegionFault("ap-southeast-2"), ""},
		{"a region of GovCloud", awsaccess.RegionFault("us-gov-west-1"), "another partition"},
		{"a region in China", awsaccess.RegionFault("cn-north-1"), "another partition"},
		{"a city", awsaccess.RegionFault("London"), "is not the name of a region"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want == "" && test.fault != "" || !strings.Contains(test.fault, test.want) {
				t.Errorf("got %q, want %q", test.fault, test.want)
			}
		})
	}
}
