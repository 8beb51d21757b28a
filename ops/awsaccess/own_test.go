package awsaccess_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Without credentials of its own the bot can't assume a role. The SDK finds them in many
// places, and its errors name the last of these.
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
func TestABotWithoutCredentialsOfItsOwnSaysSo(t *testing.T) {
	const own = "arn:aws:iam::111111111111:role/rootbot"
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("e30.e30.x"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse := func(status int, code, message string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(status)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, message)
		}
	}
	for _, test := range []struct {
		name   string
		set    map[string]string
		answer http.HandlerFunc // of STS, or of the container's agent
		parts  []string
	}{
		{"none are set, and the machine has no role", nil, nil, []string{"The bot got no AWS credentials of its own", "no EC2 IMDS role found", "AWS_ACCESS_KEY_ID"}},
		{
			"the token of a service account isn't there",
			map[string]string{"AWS_ROLE_ARN": own, "AWS_WEB_IDENTITY_TOKEN_FILE": token + "s"},
			nil,
			[]string{"The bot got no AWS credentials of its own", token + "s: no such file or directory", "AWS_WEB_IDENTITY_TOKEN_FILE"},
		},
		{
			"the bot's own role doesn't trust the service account",
			map[string]string{"AWS_ROLE_ARN": own, "AWS_WEB_IDENTITY_TOKEN_FILE": token},
			refuse(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
			[]string{"The bot got no AWS credentials of its own", "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity.", "AWS_ROLE_ARN", "must trust"},
		},
		{
			"the identity provider isn't AWS's",
			map[string]string{"AWS_ROLE_ARN": own, "AWS_WEB_IDENTITY_TOKEN_FILE": token},
			refuse(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account"),
			[]string{"InvalidIdentityToken: No OpenIDConnect provider found in your account.", "AWS_WEB_IDENTITY_TOKEN_FILE"},
		},
		{
			"STS is in trouble",
			map[string]string{"AWS_ROLE_ARN": own, "AWS_WEB_IDENTITY_TOKEN_FILE": token},
			refuse(400, "IDPCommunicationError", "Later"),
			[]string{"The bot got no AWS credentials of its own", "IDPCommunicationError: Later.", "Try again in a few minutes."},
		},
		{
			"the container's agent refuses",
			map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/v1/credentials"},
			func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(404)
				fmt.Fprint(w, `{"code":"ResourceNotFound","message":"no association"}`)
			},
			[]string{"The bot got no AWS credentials of its own", "no association"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{
				"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
				"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_ENDPOINT_URL",
			} {
				t.Setenv(name, "")
			}
			t.Setenv("AWS_CONFIG_FILE", os.DevNull)
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
			t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			t.Setenv("AWS_REGION", "eu-west-2")
			t.Setenv("AWS_MAX_ATTEMPTS", "1")
			if test.answer != nil {
				server := httptest.NewServer(test.answer)
				t.Cleanup(server.Close)
				t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
				test.set["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = strings.ReplaceAll(test.set["AWS_CONTAINER_CREDENTIALS_FULL_URI"], "{url}", server.URL)
			}
			for name, value := range test.set {
				t.Setenv(name, value)
			}
			base, err := awsconfig.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			config, err := awsaccess.New(base).Session(stage(), request("octocat"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = lambda.NewFromConfig(config).ListFunctions(t.Context(), nil)
			words := ops.Words(awsaccess.Explain(err, role), "")
			for _, part := range test.parts {
				if !strings.Contains(words, part) {
					t.Errorf("got %q, want %q in it (%v)", words, part, err)
				}
			}
			if strings.Contains(words, "trust policy must both") {
				t.Errorf("got %q", words)
			}
		})
	}
}
