//! Uploads a source bundle under its content-addressed key.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3 as s3;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};

use super::clients::AwsCloud;
use super::failure::outcome_of;
use super::objects::{UNTAGGED, key_of, method};
use crate::classify::Refusal;
use crate::cloud::Outcome;
use bluegreen_core::machine::EffectKind;
use bluegreen_core::plan::{BundleFile, Plan};

/// Larger bundles go up in parts of this size; S3 takes parts from 5 MiB and at
/// most 10,000 of them (S3 user guide, "multipart upload limits").
const PART_BYTES: u64 = 16 * 1024 * 1024;
/// How long one request of an upload may take.
const PART_TIMEOUT: Duration = Duration::from_secs(10 * 60);

const KIND: EffectKind = EffectKind::UploadBundle;
const UPLOADED: Outcome = Outcome::Applied {
    request_id: None,
    environment_id: None,
};

impl AwsCloud {
    /// Puts the plan's bundle under its key unless the key holds it already.
    pub(super) async fn upload_bundle(&self, plan: &Plan) -> Outcome {
        let Some((key, file)) = plan
            .bundle
            .as_ref()
            .and_then(|bundle| Some((bundle.key.as_str(), bundle.file.as_ref()?)))
        else {
            return invalid(format!(
                "no bundle to upload: the object is gone from bucket {}",
                plan.bucket
            ));
        };
        if let Err(changed) = unchanged(file).await {
            return invalid(changed);
        }
        if file.bytes <= PART_BYTES {
            self.put(&plan.bucket, key, file).await
        } else {
            self.put_in_parts(&plan.bucket, key, file).await
        }
    }

    async fn put(&self, bucket: &str, key: &str, file: &BundleFile) -> Outcome {
        let body = match stream(&file.path, 0, file.bytes).await {
            Ok(body) => body,
            Err(error) => return invalid(error),
        };
        let answer = self
            .s3
            .put_object()
            .bucket(bucket)
            .key(key)
            .if_none_match("*")
            .set_server_side_encryption(method(self.encryption.as_ref()))
            .set_ssekms_key_id(key_of(self.encryption.as_ref()))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(body)
            .customize()
            .config_override(slow())
            .send()
            .await;
        match outcome_of(KIND, answer) {
            Ok(done) if done.e_tag.is_none() => Outcome::Unclear(UNTAGGED.to_owned()),
            Ok(_) => UPLOADED,
            Err(outcome) => outcome,
        }
    }

    async fn put_in_parts(&self, bucket: &str, key: &str, file: &BundleFile) -> Outcome {
        let begun = self
            .s3
            .create_multipart_upload()
            .bucket(bucket)
            .key(key)
            .set_server_side_encryption(method(self.encryption.as_ref()))
            .set_ssekms_key_id(key_of(self.encryption.as_ref()))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .send()
            .await;
        let upload_id = match outcome_of(KIND, begun) {
            Ok(begun) => begun.upload_id.unwrap_or_default(),
            Err(outcome) => return outcome,
        };
        let sent = self.send_parts(bucket, key, &upload_id, file).await;
        if !matches!(sent, Outcome::Applied { .. }) {
            // Parts without their upload would be paid for.
            let abort = self.s3.abort_multipart_upload().bucket(bucket).key(key);
            let _ = abort.upload_id(upload_id).send().await;
        }
        sent
    }

    async fn send_parts(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        file: &BundleFile,
    ) -> Outcome {
        let mut parts = Vec::new();
        let offsets = (0..file.bytes).step_by(usize::try_from(PART_BYTES).unwrap_or(usize::MAX));
        for (number, offset) in (1..).zip(offsets) {
            let length = PART_BYTES.min(file.bytes - offset);
            let body = match stream(&file.path, offset, length).await {
                Ok(body) => body,
                Err(error) => return invalid(error),
            };
            let answer = self
                .s3
                .upload_part()
                .bucket(bucket)
                .key(key)
                .upload_id(upload_id)
                .part_number(number)
                .checksum_algorithm(ChecksumAlgorithm::Sha256)
                .body(body)
                .customize()
                .config_override(slow())
                .send()
                .await;
            match outcome_of(KIND, answer) {
                Ok(part) if part.e_tag.is_none() => {
                    return Outcome::Unclear(UNTAGGED.to_owned());
                }
                Ok(part) => parts.push(
                    CompletedPart::builder()
                        .part_number(number)
                        .set_e_tag(part.e_tag)
                        .set_checksum_sha256(part.checksum_sha256)
                        .build(),
                ),
                Err(outcome) => return outcome,
            }
        }
        let answer: Result<_, SdkError<_, _>> = self
            .s3
            .complete_multipart_upload()
            .bucket(bucket)
            .key(key)
            .upload_id(upload_id)
            .if_none_match("*")
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build(),
            )
            .send()
            .await;
        outcome_of(KIND, answer).map_or_else(|outcome| outcome, |_| UPLOADED)
    }
}

/// Checks that the file is still the one that the plan was made for.
async fn unchanged(file: &BundleFile) -> Result<(), String> {
    let path = file.path.clone();
    let found = tokio::task::spawn_blocking(move || crate::bundle_file::read(&path))
        .await
        .map_err(|e| e.to_string())?
        .map_err(|e| e.to_string())?;
    if found.sha256 == file.sha256 {
        Ok(())
    } else {
        Err(format!(
            "{} has changed since the deployment began",
            file.path.display()
        ))
    }
}

async fn stream(path: &Path, offset: u64, length: u64) -> Result<ByteStream, String> {
    ByteStream::read_from()
        .path(path)
        .offset(offset)
        .length(Length::Exact(length))
        .build()
        .await
        .map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn slow() -> s3::config::Builder {
    s3::config::Builder::new().timeout_config(
        TimeoutConfig::builder()
            .operation_attempt_timeout(PART_TIMEOUT)
            .build(),
    )
}

fn invalid(message: String) -> Outcome {
    Outcome::NotApplied(Refusal::Invalid(message))
}
