// Package cloud takes the place of secrets that a cloud's key service encrypts. A rehearsal's stack has a passphrase.
package cloud

import (
	"encoding/json"

	"github.com/pulumi/pulumi/pkg/v3/backend/diy/cloud"
	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Type is the name under which such a manager is found in state.
const Type = "cloud"

var errLeftOut = cloud.Unavailable("encryption by AWS KMS, Azure Key Vault, Google Cloud KMS or HashiCorp Vault")

// EditProjectStack fails: keys of clouds are left out.
func EditProjectStack(*workspace.ProjectStack, json.RawMessage) error { return errLeftOut }

// NewCloudSecretsManagerFromState fails: keys of clouds are left out.
func NewCloudSecretsManagerFromState(json.RawMessage) (secrets.Manager, error) { return nil, errLeftOut }

// NewCloudSecretsManager fails: keys of clouds are left out.
func NewCloudSecretsManager(*workspace.ProjectStack, string, bool) (secrets.Manager, error) {
	return nil, errLeftOut
}
