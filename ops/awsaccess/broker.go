// Package awsaccess gives each request credentials of its own: a session of the
// role of its stage, narrowed by a session policy to the request's one target,
// with the GitHub login of the human as SourceIdentity, so that CloudTrail
// names them. The bot's own identity is used for sts:AssumeRole alone.
package awsaccess

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/aws-root-account/rootbot/ops"
)

// Trust is the trust policy of every role that the bot assumes, with
// ${bot_role} for the ARN of the bot's own. It takes only sessions that name the human
// and the request: the bot's credentials alone, stolen, make none that CloudTrail
// couldn't tell apart. Its three actions stand in three
// statements: a condition added to one shared statement, an ExternalId for
// one, would deny the other two, whose calls don't carry it.
//
//go:embed trust.json
var Trust string

// Broker makes sessions from the bot's own configuration. Its methods may be
// called from several goroutines.
type Broker struct {
	base aws.Config

	// Record records the calls of the sessions that act. Nil: they aren't recorded.
	Record Recorder
	// Fence is asked before each further try of a recorded call: the record allows the
	// first one, and the SDK's pauses between two tries may be long. An error ends the
	// call; a *ops.HaltError is returned as it is. Nil: nobody is asked.
	Fence func(context.Context, ops.Request) error
	// Observe is told of every call, sts:AssumeRole included. Nil: nobody is. It
	// must be set before the first session is made, and may be called from several
	// goroutines.
	Observe Observer

	mu       sync.Mutex
	sessions map[string]session
}

type session struct {
	config aws.Config
	made   time.Time
}

// New returns a Broker that assumes roles with base's credentials. Where base has no
// Retryer, its sessions' clients have the one of this package.
func New(base aws.Config) *Broker {
	base.HTTPClient = HTTPClient(base.HTTPClient)
	if base.Retryer == nil {
		base.Retryer = func() aws.Retryer { return Retryer(Tries) }
	}
	return &Broker{base: base, sessions: map[string]session{}}
}

// Stage is a role and how far a session may use it.
type Stage struct {
	Role   string            // ARN
	Region string            // of the calls and of STS
	Policy string            // session policy with ${name} for each of Values
	Values map[string]string // filled in as they are; ${account} and ${region} are known
	Only   []string          // Sids of the statements that are wanted; nil: all
	Acts   bool              // it may change something: its calls are recorded

	// Narrow is what takes the place of resources that the role's policy leaves open, by how
	// those end: for "group/*", the ends of the groups that the plan names. One for which
	// there is nothing is left out, and so is a statement that has no resource then.
	Narrow map[string][]string
}

// Life is how long a session's credentials last: enough for one request's
// planning or one stretch of its run. Role chaining, which ECS and EKS make of
// every session, allows one hour at most.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const Life = 15 * time.Minute

// SessionPolicyLimit is the most characters STS takes of a session policy.
const SessionPolicyLimit = 2048

// Session returns the configuration to make clients of one stage of a request
// with. The same request and stage share credentials until they expire. The
// role is assumed at the first call, so its refusal is that call's error.
func (b *Broker) Session(stage Stage, r ops.Request) (aws.Config, error) {
	policy, err := stage.policy()
	if err != nil {
		return aws.Config{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for key, s := range b.sessions {
		if now.Sub(s.made) > time.Hour {
			delete(b.sessions, key)
		}
	}
	key := fmt.Sprint(r.ID, stage.Role, stage.Region, stage.Acts, policy)
	s, ok := b.sessions[key]
	if !ok {
		s = session{config: b.assuming(stage, policy, r), made: now}
		b.sessions[key] = s
	}
	// Credentials are shared, and each worker's calls are recorded under its own lease.
	config := s.config.Copy()
	config.APIOptions = slices.Clone(config.APIOptions)
	if stage.Acts && b.Record != nil {
		config.APIOptions = append(config.APIOptions, recording(b.Record, r, config.Credentials), fencing(b.Fence, r))
	}
	if b.Observe != nil {
		config.APIOptions = append(config.APIOptions, observing(b.Observe))
	}
	return config, nil
}

// assuming returns the configuration of a session that assumes a stage's role for a
// request at its first call.
func (b *Broker) assuming(stage Stage, policy string, r ops.Request) aws.Config {
	base := b.base.Copy()
	base.Region = stage.Region
	config := base.Copy()
	config.APIOptions = slices.Clone(config.APIOptions)
	base.APIOptions = append(slices.Clone(base.APIOptions), renewing(base.Credentials))
	if base.Credentials != nil {
		base.Credentials = own{base.Credentials}
	}
	if b.Observe != nil {
		base.APIOptions = append(base.APIOptions, observing(b.Observe))
	}
	config.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(base), stage.Role,
		func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = SessionName(r)
			o.SourceIdentity = aws.String(SourceIdentity(r.By))
			o.Policy = aws.String(policy)
			o.Duration = Life
			o.Tags = []types.Tag{ // Trust demands them
				{Key: aws.String("request"), Value: aws.String(r.ID)},
				{Key: aws.String("operation"), Value: aws.String(r.Operation)},
				{Key: aws.String("requested-by"), Value: aws.String(r.By)},
			}
		}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = time.Minute })
	config.APIOptions = append(config.APIOptions, renewing(config.Credentials))
	return config
}

// SourceIdentity is the login as STS takes it: 2 to 64 characters. GitHub has
// logins of one letter; those get "@github" behind them.
func SourceIdentity(login string) string {
	if len(login) < 2 {
		return login + "@github"
	}
	return login
}

// SessionName names the session after the human and the request: it shows in
// the ARN of every error and every CloudTrail record.
func SessionName(r ops.Request) string { return r.By + "@" + ops.Short(r.ID) }

// RoleFault tells what is wrong with a text that must be the ARN of a role; empty:
// nothing. The policies of the operations, and AWS's own that they use, are those of the
// partition aws.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func RoleFault(text string) string {
	a, err := arn.Parse(text)
	switch {
	case err != nil || a.Service != "iam" || a.Region != "" || !accountID.MatchString(a.AccountID) || !roleName.MatchString(a.Resource):
		return fmt.Sprintf("%q is not the ARN of a role", text)
	case a.Partition != "aws":
		return fmt.Sprintf("%q is of the partition %s, and the bot works in the partition aws alone", text, a.Partition)
	}
	return ""
}

// accountID is what AWS has as an account's ID, and roleName as a role with its path.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
var (
	accountID = regexp.MustCompile(`^\d{12}$`)
	roleName  = regexp.MustCompile(`^role/(?:[\x21-\x29\x2B-\x7E]+/)?[\w+=,.@-]{1,64}$`)
)

// elsewhere are the beginnings of the names of Regions in other partitions.
var elsewhere = regexp.MustCompile(`^(us-gov|cn|us-isob?|us-isof|eu-isoe|eusc)-`)

// RegionFault tells what is wrong with a text that must be the name of a Region; empty:
// nothing.
func RegionFault(text string) string {
	switch {
	case !region.MatchString(text):
		return fmt.Sprintf("%q is not the name of a region, such as eu-west-2", text)
	case elsewhere.MatchString(text):
		return fmt.Sprintf("%q is a region of another partition, and the bot works in the partition aws alone", text)
	}
	return ""
}

var region = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-\d$`)

var placeholder = regexp.MustCompile(`\$\{([a-z_]+)\}`)

// policy fills the values into the policy and takes out its white space, which
// counts against the limit.
func (s Stage) policy() (string, error) {
	role, err := arn.Parse(s.Role)
	if err != nil {
		return "", fmt.Errorf("role %q: %w", s.Role, err)
	}
	var missing []string
	text := placeholder.ReplaceAllStringFunc(s.Policy, func(m string) string {
		name := m[2 : len(m)-1]
		value, ok := s.Values[name]
		switch {
		case ok:
		case name == "account":
			value = role.AccountID
		case name == "region":
			value = s.Region
		default:
			missing = append(missing, name)
		}
		quoted, _ := json.Marshal(value)
		return string(quoted[1 : len(quoted)-1])
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("session policy of %s: no value for %s", s.Role, strings.Join(missing, ", "))
	}
	var document any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		return "", fmt.Errorf("session policy of %s: %w", s.Role, err)
	}
	if s.Only != nil {
		if document, err = only(document, s.Only); err != nil {
			return "", fmt.Errorf("session policy of %s: %w", s.Role, err)
		}
	}
	if s.Narrow != nil {
		narrow(document, s.Narrow)
	}
	compact, err := json.Marshal(document)
	if err != nil {
		return "", fmt.Errorf("session policy of %s: %w", s.Role, err)
	}
	if len(compact) > SessionPolicyLimit {
		return "", fmt.Errorf("session policy of %s: %d characters, and STS takes %d", s.Role, len(compact), SessionPolicyLimit)
	}
	return string(compact), nil
}

// only keeps the statements of a policy document with the given Sids.
func only(document any, sids []string) (any, error) {
	policy, _ := document.(map[string]any)
	statements, _ := policy["Statement"].([]any)
	kept := slices.DeleteFunc(statements, func(s any) bool {
		statement, _ := s.(map[string]any)
		sid, _ := statement["Sid"].(string)
		return !slices.Contains(sids, sid)
	})
	if len(kept) != len(sids) {
		return nil, fmt.Errorf("not all of the statements %v are there", sids)
	}
	policy["Statement"] = kept
	return policy, nil
}

// narrow puts narrower resources in place of those of a policy document that are open.
func narrow(document any, by map[string][]string) {
	policy, _ := document.(map[string]any)
	statements, _ := policy["Statement"].([]any)
	policy["Statement"] = slices.DeleteFunc(statements, func(s any) bool {
		statement, _ := s.(map[string]any)
		resources, many := statement["Resource"].([]any)
		if !many {
			return false
		}
		kept := []any{}
		for _, resource := range resources {
			text, _ := resource.(string)
			end, ends, open := "", []string(nil), false
			for end, ends = range by {
				if open = strings.HasSuffix(text, ":"+end); open {
					break
				}
			}
			if !open {
				kept = append(kept, resource)
				continue
			}
			for _, e := range ends {
				kept = append(kept, strings.TrimSuffix(text, end)+e)
			}
		}
		statement["Resource"] = kept
		return len(kept) == 0
	})
}
