//! A file as the body of a response. A thread reads it a few blocks ahead of the client.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::sync::mpsc::{Receiver, channel};

/// The bytes of a block.
const BLOCK: usize = 64 << 10;
/// How many blocks are read ahead of the client.
const BLOCKS_AHEAD: usize = 4;

pub struct FileBody {
    length: u64,
    blocks: Receiver<io::Result<Bytes>>,
}

impl FileBody {
    /// Starts reading. The thread ends with the file or with the response.
    ///
    /// # Errors
    /// When the length can't be read, or the system has no thread.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let (send, blocks) = channel(BLOCKS_AHEAD);
        let work = move || {
            let mut file = file.take(length);
            loop {
                let mut block = Vec::with_capacity(BLOCK);
                let read = file.by_ref().take(BLOCK as u64).read_to_end(&mut block);
                let block = match read {
                    Ok(0) => return,
                    Ok(_) => Ok(block.into()),
                    Err(error) => Err(error),
                };
                let failed = block.is_err();
                if send.blocking_send(block).is_err() || failed {
                    return;
                }
            }
        };
        thread::Builder::new().name("usher-file".to_owned()).spawn(work)?;
        Ok(Self { length, blocks })
    }
}

impl MessageBody for FileBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.blocks.poll_recv(context)
    }
}
